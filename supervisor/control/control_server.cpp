#include "control/control_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "base/log.h"
#include "control/resources.h"
#include "control/socket_place.h"

namespace llamavisor {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;
using Socket = asio::local::stream_protocol::socket;

constexpr std::size_t kMaxBodyBytes = 64 * 1024;
constexpr std::size_t kMaxConnections = 64;         // as many again are told that there are too many
constexpr std::size_t kMaxQueuedBytes = 1U << 20U;  // of a follower that reads too slowly
constexpr auto kRequestTime = std::chrono::seconds(10);

std::string head(unsigned status, const std::string& type, std::optional<std::size_t> length) {
  const auto reason = http::obsolete_reason(http::int_to_status(status));
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason.data(), reason.size()) +
         "\r\nContent-Type: " + type + "\r\nConnection: close\r\n" +
         (length ? "Content-Length: " + std::to_string(*length) + "\r\n\r\n" : "\r\n");
}

// One request, then the end of the connection; a followed stream ends with the client.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, SupervisorPort& supervisor, bool one_too_many)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        supervisor_(supervisor),
        one_too_many_(one_too_many) {
    parser_.body_limit(kMaxBodyBytes);
  }

  void start() {
    timer_.expires_after(kRequestTime);
    timer_.async_wait([weak = weak_from_this()](const error_code& ec) {
      if (const auto self = weak.lock(); self && !ec) {
        self->close();
      }
    });
    http::async_read(socket_, buffer_, parser_,
                     [self = shared_from_this()](const error_code& ec, std::size_t) {
                       self->timer_.cancel();
                       self->take_request(ec);
                     });
  }
  void close() {
    error_code ec;
    stream_.reset();
    socket_.close(ec);
    closed_ = true;
  }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  void take_request(const error_code& ec) {
    if (closed_) {
      return;  // the server is going, and perhaps the supervisor is gone
    }
    if (!ec) {
      handle();
    } else if (ec == http::error::body_limit) {
      send_error({413, Error("the body is larger than 64 KiB")});
    } else if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
      send_error({431, Error("the head of the request is too large")});
    } else if (ec != http::error::end_of_stream && ec.category() == http::make_error_code({}).category()) {
      send_error({400, Error("this is no HTTP request: " + ec.message())});
    } else {
      close();  // the client has left
    }
  }

  void handle() {
    if (one_too_many_) {
      send_error({503, Error("too many connections to the supervisor", "end an events -f or a logs -f")});
      return;
    }
    const auto& message = parser_.get();
    ControlRequest request;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    request.path = target.substr(0, target.find('?'));
    request.query = target.find('?') == std::string::npos ? "" : target.substr(target.find('?') + 1);
    if (!message.body().empty()) {
      error_code ec;
      json::value body = json::parse(message.body(), ec);
      if (ec || !body.is_object()) {
        send_error({400, Error("the body is not a JSON object")});
        return;
      }
      request.body = std::move(body.as_object());
    }
    const auto self = shared_from_this();
    handle_control(supervisor_, request,
                   {[self](const ControlAnswer& answer) { self->send_json(answer); },
                    [self](const TextReply& reply) { self->send_text(reply); }});
  }

  void send_json(const ControlAnswer& answer) {
    if (!answer) {
      send_error(answer.error());
      return;
    }
    const std::string body = json::serialize(*answer) + "\n";
    send(head(200, "application/json", body.size()) + body, true);
  }
  void send_error(const ControlError& error) {
    const std::string body =
        json::serialize(json::object{{"error", error.error.message}, {"hint", error.error.hint}}) + "\n";
    send(head(error.http_status, "application/json", body.size()) + body, true);
  }
  void send_text(const TextReply& reply) {
    const bool follow = static_cast<bool>(reply.follow);
    send(head(200, reply.content_type, follow ? std::nullopt : std::optional(reply.text.size())) + reply.text,
         !follow);
    if (!follow) {
      return;
    }
    watch();
    stream_ = reply.follow([weak = weak_from_this()](const std::string& piece) {
      if (const auto self = weak.lock()) {
        self->send(piece, false);
      }
    });
  }

  // The client sends nothing more: whatever becomes readable is its end.
  void watch() {
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code&) { self->close(); });
  }

  void send(const std::string& text, bool last) {
    if (closed_) {
      return;
    }
    if (waiting_.size() > kMaxQueuedBytes) {
      waiting_ += "llamavisor: you read too slowly; the stream ends here\n";
      last_ = true;
      stream_.reset();
    } else {
      waiting_ += text;
      last_ = last_ || last;
    }
    if (!writing_) {
      write();
    }
  }
  void write() {
    if (waiting_.empty()) {
      if (last_) {
        close();
      }
      return;
    }
    writing_ = true;
    sending_.swap(waiting_);
    waiting_.clear();
    asio::async_write(socket_, asio::buffer(sending_),
                      [self = shared_from_this()](const error_code& ec, std::size_t) {
                        self->writing_ = false;
                        if (ec) {
                          self->close();
                        } else {
                          self->write();
                        }
                      });
  }

  Socket socket_;
  asio::steady_timer timer_;
  SupervisorPort& supervisor_;
  bool one_too_many_;
  boost::beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;
  std::unique_ptr<ControlStream> stream_;
  std::string waiting_;
  std::string sending_;
  bool writing_ = false;
  bool last_ = false;
  bool closed_ = false;
};

class SocketServer final : public ControlServer {
 public:
  SocketServer(asio::io_context& io, std::string path, SupervisorPort& supervisor)
      : path_(std::move(path)), acceptor_(io), retry_(io), supervisor_(supervisor) {}
  ~SocketServer() override {
    error_code ec;
    acceptor_.close(ec);
    for (const auto& connection : connections_) {
      connection->close();
    }
    if (listening_) {
      unlink(path_.c_str());
    }
  }

  Result<void> listen() {
    error_code ec;
    const mode_t before = umask(0177);
    acceptor_.open(asio::local::stream_protocol(), ec);
    if (!ec) {
      acceptor_.bind(path_, ec);
    }
    umask(before);
    if (!ec) {
      acceptor_.listen(16, ec);
    }
    if (ec) {
      return Error("cannot listen on " + path_ + ": " + ec.message());
    }
    listening_ = true;
    accept();
    return {};
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const error_code& ec, Socket socket) {
      if (ec == asio::error::operation_aborted) {
        return;  // we may be gone
      }
      if (ec) {
        accept_later(ec);
        return;
      }
      std::erase_if(connections_, [](const auto& connection) { return connection->closed(); });
      const auto peer = peer_of(socket.native_handle());
      const bool allowed = peer && (peer->uid == 0 || peer->uid == geteuid());
      if (!allowed) {
        log_warn("control: a connection of another user was refused");
      } else if (connections_.size() < 2 * kMaxConnections) {
        const bool one_too_many = connections_.size() >= kMaxConnections;
        connections_.insert(std::make_shared<Connection>(std::move(socket), supervisor_, one_too_many))
            .first->get()
            ->start();
      }
      accept();
    });
  }

  // Out of descriptors, most likely: they come back as connections end.
  void accept_later(const error_code& ec) {
    log_warn("control: cannot accept a connection: " + ec.message());
    retry_.expires_after(std::chrono::seconds(1));
    retry_.async_wait([this](const error_code& cancelled) {
      if (!cancelled) {
        accept();
      }
    });
  }

  std::string path_;
  asio::local::stream_protocol::acceptor acceptor_;
  asio::steady_timer retry_;
  SupervisorPort& supervisor_;
  std::set<std::shared_ptr<Connection>> connections_;
  bool listening_ = false;
};

}  // namespace

Result<std::unique_ptr<ControlServer>> start_control_server(asio::io_context& io, const std::string& path,
                                                            SupervisorPort& supervisor) {
  const auto place = make_socket_place(path);  // locked until we listen
  if (!place) {
    return place.error();
  }
  auto server = std::make_unique<SocketServer>(io, path, supervisor);
  if (auto listening = server->listen(); !listening) {
    return listening.error();
  }
  return std::unique_ptr<ControlServer>(std::move(server));
}

}  // namespace llamavisor
