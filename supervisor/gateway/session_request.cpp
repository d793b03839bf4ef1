// A request, until it is relayed: see the essay in session.h.
#include "base/units.h"
#include "gateway/session.h"

namespace llamavisor {

bool Session::step_head() {
  if (!out_.empty() && !flush_client()) {
    return false;
  }
  if (close_after_) {
    enter(State::linger);
    return true;
  }
  const std::size_t length = head_length(unread());
  if (length > 0 && length <= kMaxHeadBytes) {
    return take_head(length);
  }
  if (length > 0 || unread().size() > kMaxHeadBytes) {
    close_after_ = true;
    return reply(431, "the request head is larger than 64 KiB");
  }
  if (unread() == "\r\n") {
    consume(2);  // an empty line between requests (RFC 9112, 2.2)
  }
  // Also when the half head came along with the request before it.
  if (!unread().empty() && deadline_ == SteadyTime::max()) {
    deadline_ = s_.clock.now() + s_.settings.head_timeout;
  }
  const Io result = read_client();
  if (result == Io::ended) {
    close();
  } else if (result == Io::progress && deadline_ == SteadyTime::max()) {
    deadline_ = s_.clock.now() + s_.settings.head_timeout;
  }
  return result == Io::progress;
}

bool Session::take_head(std::size_t length) {
  head_text_.assign(unread().substr(0, length));
  consume(length);
  const auto bad = parse_request_head(head_text_, head_);
  if (bad || head_.method == "CONNECT") {
    close_after_ = true;
    return reply(400, bad ? bad->reason : "CONNECT is not served here");
  }
  close_after_ = !head_.keep_alive;
  route_ = find_route(head_.method, head_.target);
  request_body_ = BodyTracker(head_.framing, head_.content_length);
  if (!s_.guard.host_allowed(head_.field("host"))) {
    close_after_ = true;
    return reply(403, "");
  }
  if (s_.draining) {
    close_after_ = true;
    return reply(503, "llamavisor is shutting down", std::chrono::seconds(5));
  }
  const bool inspect = route_.loads() && head_.framing != Framing::none &&
                       head_.content_length <= s_.settings.max_inspect_bytes;
  if (inspect && head_.expects_continue) {
    send_client("HTTP/1.1 100 Continue\r\n\r\n");
  }
  body_read_ = inspect;
  held_since_ = s_.clock.now();
  enter(inspect ? State::body : State::hold);
  return true;
}

bool Session::step_body() {
  const std::size_t used = request_body_.take(unread(), &body_);
  consume(used);
  if (request_body_.bad()) {
    close_after_ = true;
    return reply(400, "malformed chunked body");
  }
  if (body_.size() > s_.settings.max_inspect_bytes) {
    close_after_ = true;
    return reply(413,
                 "the chunked body is larger than gateway.max_inspect_bytes; send it with Content-Length");
  }
  if (!count_body()) {
    close_after_ = true;
    return reply(503, "too many large requests at once", std::chrono::seconds(5));
  }
  if (request_body_.done()) {
    read_facts();
    enter(State::hold);
    return true;
  }
  const Io result = read_client();
  if (result == Io::ended) {
    close();
  } else if (result == Io::progress) {
    deadline_ = s_.clock.now() + s_.settings.head_timeout;
  }
  return result == Io::progress;
}

// The bodies of all sessions together are bounded.
bool Session::count_body() {
  constexpr std::uint64_t kBodiesAtOnce = 4;
  s_.body_bytes += body_.size() - counted_bytes_;
  counted_bytes_ = body_.size();
  return s_.body_bytes <= kBodiesAtOnce * s_.settings.max_inspect_bytes;
}

void Session::read_facts() {
  facts_.reset();
  if (route_.kind == RouteKind::openai_upload) {
    if (auto model = model_in_form(head_.field("content-type"), body_)) {
      facts_.emplace();
      facts_->model = std::move(*model);
    }
  } else if (iequals(head_.field("content-encoding"), "zstd")) {
    // Ollama decodes on /v1 only. A native body is edited in place, so it must be the plain text itself.
    const bool native = route_.kind == RouteKind::native;
    auto plain = native ? std::nullopt : decode_zstd(body_, s_.settings.max_inspect_bytes);
    if (plain) {
      facts_ = s_.scanner.scan(*plain);
    }
  } else {
    facts_ = s_.scanner.scan(body_);
  }
}

bool Session::step_hold() {
  if (!s_.server_port()) {
    deadline_ = held_since_ + s_.settings.hold_timeout;
    return false;
  }
  enter(State::ask);
  ask_desk();
  return state_ != State::ask;
}

// A page of another site gets its 403 from the server, and must not move any model before it.
bool Session::foreign_page() const {
  const std::string_view origin = head_.field("origin");
  return !origin.empty() && !is_same_origin(origin, head_.field("host")) &&
         !is_allowed_origin(origin, s_.origins);
}

// Nothing to load: the server is asked to let a model go ("ollama stop").
bool Session::bare_unload(const std::string& model) const {
  return route_.generates && facts_->keep_alive_zero && !facts_->has_prompt && !s_.desk.keeps(model);
}

void Session::ask_desk() {
  constexpr std::size_t kMaxNameBytes = 512;  // no name that Ollama takes is longer
  if (!route_.loads() || foreign_page()) {
    take_verdict(Unknown{});
    return;
  }
  if (!facts_) {
    take_verdict(s_.desk.unread());
    return;
  }
  const Ask ask{canonical_model_name(facts_->model), route_.kind == RouteKind::native,
                grown_ ? grown_ : facts_->num_ctx};
  const bool no_name = facts_->model.size() > kMaxNameBytes;
  if (no_name || is_cloud_model_name(ask.model) || bare_unload(ask.model)) {
    take_verdict(Unknown{});
    return;
  }
  if (auto verdict = s_.desk.try_now(ask)) {
    take_verdict(std::move(*verdict));
    return;
  }
  ticket_ = s_.desk.wait(ask, [this](Verdict verdict) {
    take_verdict(std::move(verdict));
    advance();
  });
}

void Session::take_verdict(Verdict verdict) {
  ticket_.reset();
  if (const auto* denied = std::get_if<Denied>(&verdict)) {
    reply(denied->http_status, denied->message, denied->retry_after);
    return;
  }
  granted_ = std::move(verdict);
  connect_upstream();
}

// Our own answer. What the client still sends of this request is discarded, or the connection ends.
bool Session::reply(unsigned status, const std::string& message,
                    std::optional<std::chrono::seconds> retry_after) {
  close_after_ = close_after_ || !request_body_.done();
  OwnReply own{status, message, retry_after, route_.kind, !close_after_, head_.method == "HEAD"};
  end_lease();
  forget_request();
  enter(State::head);
  send_client(render(own));
  return state_ != State::closed;
}

}  // namespace llamavisor
