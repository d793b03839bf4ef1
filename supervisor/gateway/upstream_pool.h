// Idle connections to the server, the last used one first.
// Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <vector>

namespace llamavisor {

using TcpSocket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

class UpstreamPool {
 public:
  // A connection that was idle may have been closed by the server meanwhile: the caller must be ready to
  // see its end before the first byte and to try a fresh one.
  std::optional<TcpSocket> take() {
    if (idle_.empty()) {
      return std::nullopt;
    }
    std::optional<TcpSocket> out(std::move(idle_.back()));
    idle_.pop_back();
    return out;
  }
  void give(TcpSocket socket) {
    if (idle_.size() < kMaxIdle) {
      idle_.push_back(std::move(socket));
    }
  }
  // The server is gone or has another port.
  void clear() { idle_.clear(); }

 private:
  static constexpr std::size_t kMaxIdle = 128;
  std::vector<TcpSocket> idle_;
};

}  // namespace llamavisor
