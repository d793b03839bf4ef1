#include "gateway/gateway.h"

#include <boost/asio/ip/v6_only.hpp>
#include <charconv>

#include "base/log.h"
#include "gateway/session.h"
#include "ollama/port_owner.h"

namespace llamavisor {

namespace asio = boost::asio;
using boost::system::error_code;

Gateway::Gateway(asio::io_context& io, const Clock& clock, AdmissionDesk& desk, GatewaySettings settings,
                 Hooks hooks)
    : services_{.io = io,
                .clock = clock,
                .desk = desk,
                .settings = std::move(settings),
                .origins = std::move(hooks.origins),
                .guard = HostGuard(true),
                .server_port = std::move(hooks.server_port),
                .look_soon = std::move(hooks.look_soon)},
      acceptor_(io.get_executor()),
      ticker_(io) {}

Gateway::~Gateway() {
  close_all();
}

Result<void> Gateway::listen(const ListenAddress& address) {
  error_code ec;
  acceptor_.open(address.endpoint.protocol(), ec);
  if (!ec) {
    acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
  }
  if (!ec && address.endpoint.address().is_v6() && address.endpoint.address().is_unspecified()) {
    acceptor_.set_option(asio::ip::v6_only(false), ec);
  }
  if (!ec) {
    acceptor_.bind(address.endpoint, ec);
  }
  if (!ec) {
    acceptor_.listen(1024, ec);
  }
  if (ec == asio::error::address_in_use) {
    return Error(address.text() + " is in use" + describe_port_owner(address.endpoint.port()),
                 "stop it, or choose another address with --listen");
  }
  if (ec) {
    return Error("cannot listen on " + address.text() + ": " + ec.message(), "choose another with --listen");
  }
  services_.guard = HostGuard(address.loopback());
  accept();
  tick();
  return {};
}

std::string Gateway::address() const {
  error_code ec;
  return ListenAddress{acceptor_.local_endpoint(ec)}.text();
}

void Gateway::accept() {
  if (std::exchange(accepting_, true)) {
    return;
  }
  acceptor_.async_accept([this](const error_code& ec, TcpSocket client) {
    accepting_ = false;
    if (ec == asio::error::operation_aborted || !acceptor_.is_open()) {
      return;
    }
    if (ec) {  // out of descriptors: the next tick accepts again
      log_warn("cannot accept a connection: " + ec.message());
      return;
    }
    add(std::move(client));
    accept();
  });
}

void Gateway::add(TcpSocket client) {
  sweep();
  if (sessions_.size() >= services_.settings.max_connections && !make_room()) {
    refuse(std::move(client));
    return;
  }
  const auto session = std::make_shared<Session>(std::move(client), services_);
  sessions_.insert(session);
  session->start();
}

// An idle kept-alive connection may be closed at any time (RFC 9112, 9.3).
bool Gateway::make_room() {
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if ((*it)->idle()) {
      (*it)->close();
      sessions_.erase(it);
      return true;
    }
  }
  return false;
}

void Gateway::refuse(TcpSocket client) {
  const std::string text = render({.http_status = 503,
                                   .message = "too many connections (gateway.max_connections = " +
                                              std::to_string(services_.settings.max_connections) + ")",
                                   .retry_after = std::chrono::seconds(5)});
  error_code ec;
  client.non_blocking(true, ec);
  client.write_some(asio::buffer(text), ec);
  client.shutdown(TcpSocket::shutdown_send, ec);
}

void Gateway::sweep() {
  std::erase_if(sessions_, [](const auto& session) { return session->closed(); });
}

void Gateway::tick() {
  ticker_.expires_after(std::chrono::seconds(1));
  ticker_.async_wait([this](const error_code& ec) {
    if (ec) {
      return;
    }
    const auto sessions = sessions_;
    for (const auto& session : sessions) {
      session->check_deadline();
    }
    sweep();
    if (services_.draining && drained_) {
      drain(std::exchange(drained_, nullptr));
    } else if (!services_.draining) {
      accept();
    }
    tick();
  });
}

void Gateway::server_changed() {
  services_.pool.clear();
  const auto sessions = sessions_;
  for (const auto& session : sessions) {
    session->poke();
  }
}

void Gateway::drain(std::function<void()> done) {
  services_.draining = true;
  error_code ec;
  acceptor_.close(ec);
  for (const auto& session : sessions_) {
    if (session->idle()) {
      session->close();
    }
  }
  sweep();
  if (sessions_.empty()) {
    done();
  } else {
    drained_ = std::move(done);
  }
}

void Gateway::close_all() {
  error_code ec;
  acceptor_.close(ec);
  ticker_.cancel();
  for (const auto& session : sessions_) {
    session->close();
  }
  sessions_.clear();
}

}  // namespace llamavisor
