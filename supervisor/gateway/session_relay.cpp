// The server's side of a session: see the essay in session.h.
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address_v4.hpp>

#include "gateway/session.h"

namespace llamavisor {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr unsigned kMaxAttempts = 5;

// Fields that concern one connection only (RFC 9110, 7.6.1), and those the gateway sets itself.
bool hop_by_hop(std::string_view name, std::string_view connection) {
  for (const std::string_view own :
       {"host", "connection", "keep-alive", "proxy-connection", "te", "upgrade"}) {
    if (iequals(name, own)) {
      return true;
    }
  }
  while (!connection.empty()) {
    const std::size_t comma = connection.find(',');
    std::string_view token = connection.substr(0, comma);
    token.remove_prefix(std::min(token.find_first_not_of(" \t"), token.size()));
    token = token.substr(0, token.find_last_not_of(" \t") + 1);
    if (iequals(name, token) && !iequals(name, "content-length") && !iequals(name, "transfer-encoding")) {
      return true;
    }
    connection = comma == std::string_view::npos ? std::string_view() : connection.substr(comma + 1);
  }
  return false;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void Session::end_lease() {
  if (granted_) {
    if (auto* grant = std::get_if<Granted>(&*granted_)) {
      grant->lease.note(answer_tail_.facts());
    }
    answer_tail_.clear();
    const bool may_unload = facts_ && facts_->keep_alive_zero;
    granted_.reset();
    if (may_unload) {
      s_.look_soon();
    }
  }
}

void Session::drop_upstream() {
  if (upstream_) {
    error_code ec;
    upstream_->close(ec);
    upstream_.reset();
  }
  upstream_readable_ = false;
}

BodyEdits Session::edits() const {
  const auto* grant = std::get_if<Granted>(&*granted_);
  if (grant == nullptr) {
    return {};
  }
  BodyEdits out{.num_ctx = grant->num_ctx, .keep_alive = grant->keep_alive};
  if (grown_ && !out.num_ctx) {
    out.num_ctx = grant->lease.residency().num_ctx;
  }
  out.forbid_truncation = route_.generates && facts_->has_prompt && !facts_->truncate_said && !truncated_ &&
                          s_.desk.overflow_mode() != "allow";
  return out;
}

void Session::build_upstream_head() {
  up_.clear();
  up_sent_ = 0;
  const BodyEdits edits = this->edits();
  strict_ = edits.forbid_truncation;
  const std::string edited = edits.any() ? edit_body(body_, *facts_, edits) : std::string();
  const std::string& body = edits.any() ? edited : body_;
  up_.reserve(head_text_.size() + body.size() + 64);
  const std::size_t line_end = head_text_.find("\r\n") + 2;
  up_.append(head_text_, 0, line_end);
  append_field(up_, "Host", "127.0.0.1:" + std::to_string(s_.server_port().value_or(0)));
  const std::string_view connection = head_.field("connection");
  for (const HeaderField& field : head_.fields) {
    const bool framing = iequals(field.name, "content-length") || iequals(field.name, "transfer-encoding") ||
                         iequals(field.name, "trailer") || iequals(field.name, "expect");
    const bool same_origin =
        iequals(field.name, "origin") && is_same_origin(field.value, head_.field("host"));
    if (!hop_by_hop(field.name, connection) && !same_origin && !(body_read_ && framing)) {
      append_field(up_, field.name, field.value);
    }
  }
  if (body_read_) {
    append_field(up_, "Content-Length", std::to_string(body.size()));
  }
  up_.append("\r\n");
  up_.append(body_read_ ? body : std::string());
  replayable_ = request_body_.done();
}

void Session::connect_upstream() {
  build_upstream_head();
  answer_head_.clear();
  answer_.reset();
  answer_begun_ = upload_dead_ = false;
  upstream_ = attempts_ == 0 ? s_.pool.take() : std::nullopt;
  upstream_fresh_ = !upstream_;
  if (upstream_) {
    enter(State::relay);
    return;
  }
  enter(State::connect);
  open_upstream();
}

void Session::open_upstream() {
  const auto port = s_.server_port();
  upstream_.emplace(s_.io.get_executor());
  if (!port) {
    enter(State::hold);
    return;
  }
  upstream_->async_connect({asio::ip::address_v4::loopback(), *port},
                           [self = shared_from_this(), this](const error_code& ec) {
                             if (state_ != State::connect) {
                               return;
                             }
                             error_code ignored;
                             if (ec) {
                               drop_upstream();
                               end_lease();
                               enter(State::hold);  // tried again each second, within hold_timeout
                               deadline_ = held_since_ + s_.settings.hold_timeout;
                               return;
                             }
                             upstream_->non_blocking(true, ignored);
                             upstream_->set_option(asio::ip::tcp::no_delay(true), ignored);
                             enter(State::relay);
                             advance();
                           });
}

void Session::want_upstream_read() {
  if (std::exchange(upstream_armed_, true)) {
    return;
  }
  upstream_->async_wait(TcpSocket::wait_read, [self = shared_from_this()](const error_code& ec) {
    self->upstream_armed_ = false;
    if (!ec) {
      self->upstream_readable_ = true;
    }
    self->advance();
  });
}

void Session::want_upstream_write() {
  if (std::exchange(upstream_write_armed_, true)) {
    return;
  }
  upstream_->async_wait(TcpSocket::wait_write, [self = shared_from_this()](const error_code&) {
    self->upstream_write_armed_ = false;
    self->advance();
  });
}

bool Session::step_relay() {
  const bool sent = pump_request();
  return state_ != State::relay || pump_response() || sent;
}

// True when bytes moved.
bool Session::pump_request() {
  if (up_sent_ == up_.size() && !request_body_.done() && !upload_dead_) {
    const std::size_t n = request_body_.take(unread());
    if (n > 0) {
      replayable_ = false;
      up_.assign(unread().substr(0, n));
      up_sent_ = 0;
      consume(n);
      deadline_ = SteadyTime::max();
    }
    if (request_body_.bad()) {
      drop_upstream();
      close_after_ = true;
      return reply(400, "malformed chunked body");
    }
    if (n == 0 && deadline_ == SteadyTime::max() && !answer_begun_) {
      deadline_ = s_.clock.now() + s_.settings.head_timeout;  // a body that stalls
    }
  }
  if (up_sent_ == up_.size() || upload_dead_) {
    return false;
  }
  error_code ec;
  const std::size_t n = upstream_->write_some(asio::buffer(up_.data() + up_sent_, up_.size() - up_sent_), ec);
  up_sent_ += n;
  if (must_wait(ec)) {
    want_upstream_write();
  } else if (ec) {
    upload_dead_ = upstream_readable_ = true;  // an early answer may be there to read
  }
  return n > 0 || upload_dead_;
}

// True when bytes moved.
bool Session::pump_response() {
  if (!out_.empty() && !flush_client()) {
    return false;
  }
  if (state_ != State::relay) {
    return false;
  }
  if (!upstream_readable_) {
    want_upstream_read();
    return false;
  }
  error_code ec;
  const std::size_t n = upstream_->read_some(asio::buffer(s_.scratch), ec);
  if (must_wait(ec)) {
    upstream_readable_ = false;
    want_upstream_read();
    return false;
  }
  if (ec) {
    return upstream_ended();
  }
  upstream_readable_ = n == s_.scratch.size();
  take_answer({s_.scratch.data(), n});
  return true;
}

// Relays `bytes`, following the framing to know where the answer ends.
void Session::take_answer(std::string_view bytes) {
  std::string joined;  // the head came in pieces
  std::size_t head = 0;
  if (!answer_) {
    if (!answer_head_.empty()) {
      joined = std::exchange(answer_head_, {}) + std::string(bytes);
      bytes = joined;
    }
    head = take_answer_head(bytes);
    if (head == 0) {
      return;
    }
  }
  const std::size_t body = answer_body_.take(bytes.substr(head), weighing_ ? &weighed_text_ : nullptr);
  answer_tail_.take(bytes.substr(head, body));
  if (weighing_) {
    if (!weigh(bytes.substr(0, head + body))) {
      return;
    }
  } else {
    send_answer(bytes.substr(0, head + body), head);
  }
  if (state_ != State::relay) {
    return;
  }
  if (answer_body_.bad()) {
    close();
    return;
  }
  if (head + body < bytes.size()) {
    answer_->keep_alive = false;  // bytes that belong to no answer: this connection is not used again
  }
  if (answer_body_.done()) {
    finish_exchange();
  }
}

// Length of the final head at the start of `bytes`; informational ones before it are relayed and taken off.
// 0: it is not complete (kept for later), or it was bad (answered).
std::size_t Session::take_answer_head(std::string_view& bytes) {
  ResponseHead head;
  std::size_t length = 0;
  while ((length = head_length(bytes)) != 0) {
    if (parse_response_head(bytes.substr(0, length), head_.method == "HEAD", head)) {
      break;
    }
    answer_begun_ = true;
    deadline_ = SteadyTime::max();
    if (head.status / 100 != 1) {
      begin_answer(head);
      return length;
    }
    send_client(bytes.substr(0, length));
    if (state_ != State::relay) {
      return 0;  // the client is gone
    }
    bytes.remove_prefix(length);
  }
  if (length != 0 || bytes.size() > kMaxHeadBytes) {
    drop_upstream();
    reply(502, "the Ollama server answered with something that is not HTTP");
    return 0;
  }
  answer_head_.assign(bytes);
  return 0;
}

void Session::begin_answer(const ResponseHead& head) {
  answer_ = head;
  answer_body_ = BodyTracker(head.framing, head.content_length);
  answer_tail_.clear();
  auto* grant = std::get_if<Granted>(&*granted_);
  weighing_ = grant != nullptr && head.status == 400;
  if (grant != nullptr && head.status == 200) {
    grant->lease.answered();
    tell_truncation(grant->lease);
  }
}

// The server closed the connection, or it broke. True when the session goes on with something else.
bool Session::upstream_ended() {
  if (answer_ && answer_body_.until_close()) {
    if (!weighing_ || settle_weighed()) {
      finish_exchange();
    }
    return true;
  }
  drop_upstream();
  if (answer_begun_ || !answer_head_.empty()) {
    close();  // cut in the middle: the missing end tells the client
    return false;
  }
  const bool stale = !upstream_fresh_;
  if (replayable_ && ++attempts_ < kMaxAttempts) {
    held_since_ = s_.clock.now();  // should it be held, then from now on, however long it had run
    if (!stale) {
      end_lease();
      enter(State::hold);
      return true;
    }
    connect_upstream();
    return state_ != State::connect;
  }
  close_after_ = true;
  return reply(502, "the Ollama server ended the connection without an answer");
}

void Session::finish_exchange() {
  const bool whole = request_body_.done() && up_sent_ == up_.size();
  close_after_ = close_after_ || !whole || answer_body_.until_close() || !answer_->keep_alive;
  if (whole && answer_->keep_alive && !answer_body_.until_close() && !upstream_armed_ &&
      !upstream_write_armed_) {
    s_.pool.give(std::move(*upstream_));
    upstream_.reset();
  }
  drop_upstream();
  end_lease();
  if (route_.kind == RouteKind::manage) {
    s_.desk.forget_names();
    s_.look_soon();
  } else if (route_.loads() && !facts_) {
    s_.look_soon();  // whatever it loaded was not seen
  }
  forget_request();
  enter(State::head);
}

// What one large request took is not kept for the next.
void Session::forget_request() {
  head_.method = {};  // it looks into a text that the next head replaces
  route_ = {};
  facts_.reset();
  attempts_ = 0;
  up_sent_ = 0;
  strict_ = weighing_ = false;
  truncated_.reset();
  grown_.reset();
  for (std::string* text : {&body_, &up_, &weighed_, &weighed_text_}) {
    text->clear();
    if (text->capacity() > 64 * 1024) {
      text->shrink_to_fit();
    }
  }
  count_body();
}

}  // namespace llamavisor
