#include "gateway/session.h"

#include <boost/asio/buffer.hpp>

#include "base/log.h"
#include "base/units.h"

namespace llamavisor {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kMaxUnread = 64 * 1024;
constexpr auto kLinger = std::chrono::seconds(2);

}  // namespace

Session::Session(TcpSocket client, Services& services) : s_(services), client_(std::move(client)) {}
Session::~Session() {
  close();
}

void Session::start() {
  error_code ec;
  client_.non_blocking(true, ec);
  client_.set_option(asio::ip::tcp::no_delay(true), ec);
  want_client_read();
}

bool Session::idle() const {
  return state_ == State::head && unread().empty() && out_.empty() && !client_readable_;
}

void Session::close() {
  if (state_ == State::closed) {
    return;
  }
  state_ = State::closed;
  body_.clear();
  count_body();
  ticket_.reset();
  drop_upstream();
  end_lease();
  error_code ec;
  client_.close(ec);
}

void Session::enter(State state) {
  state_ = state;
  deadline_ = SteadyTime::max();
  if (state == State::body) {
    deadline_ = s_.clock.now() + s_.settings.head_timeout;
  } else if (state == State::linger) {
    deadline_ = s_.clock.now() + kLinger;
  }
}

// A step may wake the session again (a callback, a lease that ends): that is noted, not nested.
void Session::advance() {
  poked_ = true;
  if (std::exchange(advancing_, true)) {
    return;
  }
  const auto self = shared_from_this();
  try {
    while (std::exchange(poked_, false)) {
      while (state_ != State::closed && step()) {
      }
    }
  } catch (const std::exception& error) {  // out of memory, or a fault of ours: this client's alone
    log_error(std::string("a connection is closed: internal error: ") + error.what());
    close();
  }
  advancing_ = false;
}

bool Session::step() {
  switch (state_) {
    case State::head:
      return step_head();
    case State::body:
      return step_body();
    case State::hold:
      return watch_client() && step_hold();
    case State::ask:
    case State::connect:
      watch_client();
      return false;
    case State::relay:
      return watch_client() && step_relay();
    case State::linger:
      return step_linger();
    case State::closed:
      return false;
  }
  return false;
}

void Session::check_deadline() {
  if (s_.clock.now() < deadline_) {
    if (state_ == State::hold) {
      advance();
    }
    return;
  }
  deadline_ = SteadyTime::max();
  if (state_ == State::hold) {
    reply(503, "the Ollama server is not running; it is being started again", std::chrono::seconds(5));
    advance();
  } else if (state_ == State::head || state_ == State::body) {
    close_after_ = true;
    reply(408, "the request did not arrive within " + format_duration(s_.settings.head_timeout));
    advance();
  } else {
    close();
  }
}

// --- the client's side ---------------------------------------------------------------------------------

void Session::want_client_read() {
  if (std::exchange(client_read_armed_, true)) {
    return;
  }
  client_.async_wait(TcpSocket::wait_read, [self = shared_from_this()](const error_code& ec) {
    self->client_read_armed_ = false;
    if (!ec) {
      self->client_readable_ = true;
      self->advance();
    }
  });
}

void Session::want_client_write() {
  if (std::exchange(client_write_armed_, true)) {
    return;
  }
  client_.async_wait(TcpSocket::wait_write, [self = shared_from_this()](const error_code& ec) {
    self->client_write_armed_ = false;
    if (!ec) {
      self->advance();
    }
  });
}

Session::Io Session::read_client() {
  if (!client_readable_) {
    want_client_read();
    return Io::blocked;
  }
  error_code ec;
  const std::size_t n = client_.read_some(asio::buffer(s_.scratch), ec);
  if (must_wait(ec)) {
    client_readable_ = false;
    want_client_read();
    return Io::blocked;
  }
  if (ec) {
    return Io::ended;
  }
  client_readable_ = n == s_.scratch.size();
  in_.append(s_.scratch.data(), n);
  return Io::progress;
}

// While the request is on its way: notices that the client left, and takes in what it sends ahead, within
// bounds. False when the session is over.
bool Session::watch_client() {
  while (unread().size() < kMaxUnread) {
    const Io result = read_client();
    if (result == Io::ended) {
      close();
      return false;
    }
    if (result == Io::blocked) {
      break;
    }
  }
  return true;
}

void Session::send_client(std::string_view bytes) {
  if (out_.empty()) {
    error_code ec;
    const std::size_t n = client_.write_some(asio::buffer(bytes.data(), bytes.size()), ec);
    if (ec && !must_wait(ec)) {
      close();
      return;
    }
    bytes.remove_prefix(n);
  }
  out_.append(bytes);
}

// True when the client has taken everything.
bool Session::flush_client() {
  error_code ec;
  std::size_t sent = 0;
  while (!ec && sent < out_.size()) {
    sent += client_.write_some(asio::buffer(out_.data() + sent, out_.size() - sent), ec);
  }
  out_.erase(0, sent);
  if (ec && !must_wait(ec)) {
    close();
  } else if (ec) {
    want_client_write();
  }
  return out_.empty();
}

bool Session::step_linger() {
  if (!flush_client()) {
    return false;
  }
  error_code ec;
  client_.shutdown(TcpSocket::shutdown_send, ec);
  in_.clear();
  in_pos_ = 0;
  const Io result = read_client();
  if (result == Io::ended) {
    close();
  }
  return result == Io::progress;
}

void Session::consume(std::size_t bytes) {
  in_pos_ += bytes;
  if (in_pos_ == in_.size()) {
    in_.clear();
    in_pos_ = 0;
    if (in_.capacity() > kMaxUnread) {
      in_.shrink_to_fit();
    }
  } else if (in_pos_ > kMaxUnread) {
    in_.erase(0, in_pos_);
    in_pos_ = 0;
  }
}

}  // namespace llamavisor
