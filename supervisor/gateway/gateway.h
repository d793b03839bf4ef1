// The port that clients talk to: accepts connections, counts them, ticks their deadlines, drains them.
// Thread: io thread only.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "gateway/services.h"

namespace llamavisor {

class Session;

struct ListenAddress {
  boost::asio::ip::tcp::endpoint endpoint;
  [[nodiscard]] bool loopback() const { return endpoint.address().is_loopback(); }
  [[nodiscard]] std::string text() const;
};

// "127.0.0.1:11434", ":8080", "0.0.0.0", "[::1]:1", "localhost", "http://host:port": what OLLAMA_HOST may
// say, read as Ollama reads it (port 11434 unless given; 80 and 443 for http:// and https://).
Result<ListenAddress> parse_listen(std::string_view text);

class Gateway {
 public:
  struct Hooks {
    std::function<std::optional<std::uint16_t>()> server_port;
    std::function<void()> look_soon;
    std::vector<std::string> origins{};  // OLLAMA_ORIGINS as the server is given it
  };
  Gateway(boost::asio::io_context& io, const Clock& clock, AdmissionDesk& desk, GatewaySettings settings,
          Hooks hooks);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // An error names the process that has the port, when it can be found, and what to do.
  Result<void> listen(const ListenAddress& address);
  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::size_t connections() const { return sessions_.size(); }

  // The server became ready, or went away: held requests go on, idle connections to it are dropped.
  void server_changed();
  // No new requests; `done` is called when the last one has ended.
  void drain(std::function<void()> done);
  // Ends every connection, now.
  void close_all();

 private:
  void accept();
  void add(TcpSocket client);
  bool make_room();
  void refuse(TcpSocket client);
  void tick();
  void sweep();

  Services services_;
  boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, boost::asio::io_context::executor_type> acceptor_;
  boost::asio::steady_timer ticker_;
  bool accepting_ = false;
  std::set<std::shared_ptr<Session>> sessions_;
  std::function<void()> drained_;
};

}  // namespace llamavisor
