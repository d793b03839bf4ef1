// A client of a unix socket that sends what it is told, byte for byte. It never blocks: the test runs the
// server's event loop in between.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "base/unique_fd.h"

namespace llamavisor::testing {

class UnixClient {
 public:
  explicit UnixClient(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  [[nodiscard]] bool connected() const { return connected_; }
  // Bytes that the socket took.
  std::size_t send(const std::string& text) const {
    const ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  void shut_down() const { ::shutdown(fd_.get(), SHUT_WR); }
  // Takes what has come; false: the other end has closed.
  bool take() {
    char bytes[65536];
    ssize_t n = 0;
    while ((n = ::recv(fd_.get(), bytes, sizeof bytes, 0)) > 0) {
      received.append(bytes, static_cast<std::size_t>(n));
    }
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
  void close() { fd_.reset(); }

  std::string received;

 private:
  UniqueFd fd_;
  bool connected_ = false;
};

}  // namespace llamavisor::testing
