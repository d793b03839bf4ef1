// Prompts that are longer than num_ctx: see the essay in session.h.
#include "gateway/session.h"

namespace llamavisor {

// A field of our own behind the status line of an answer to a part of the prompt.
void Session::send_answer(std::string_view bytes, std::size_t head) {
  if (head > 0 && truncated_ && answer_->status == 200) {
    const std::size_t line_end = bytes.find("\r\n") + 2;
    send_client(std::string(bytes.substr(0, line_end)) + truncation_field(*truncated_));
    bytes.remove_prefix(line_end);
  }
  if (state_ == State::relay) {
    send_client(bytes);
  }
}

// Keeps a 400 back until it is whole. True: it is not about the length of the prompt and was sent. False: it
// goes on, or the request took another way.
bool Session::weigh(std::string_view bytes) {
  constexpr std::size_t kMaxWeighedBytes = 64 * 1024;
  weighed_.append(bytes);
  if (answer_body_.done()) {
    return settle_weighed();
  }
  if (answer_body_.bad() || weighed_.size() > kMaxWeighedBytes) {
    weighing_ = false;
    send_client(std::exchange(weighed_, {}));
    return true;
  }
  return false;
}

// True: it was sent as it came.
bool Session::settle_weighed() {
  weighing_ = false;
  if (take_overflow()) {
    return false;
  }
  send_client(std::exchange(weighed_, {}));
  return true;
}

// True: the request was answered, or goes up again.
bool Session::take_overflow() {
  auto overflow = read_overflow(weighed_text_);
  if (!overflow) {
    return false;
  }
  Lease& lease = std::get<Granted>(*granted_).lease;
  lease.answered();  // tokens are counted by a model that is loaded
  if (!overflow->num_ctx) {
    overflow->num_ctx = lease.residency().num_ctx;
  }
  const std::string what = describe(*overflow, lease.residency().name);
  const std::string& mode = s_.desk.overflow_mode();
  if (!strict_) {  // its client forbade it, or the server refuses by itself (on /v1; a last message alone)
    s_.desk.overflowed(lease, "Ollama refused a request: " + what + ".");
    return false;
  }
  if (mode == "mark") {
    truncated_ = overflow;
    repeat_request();
    return true;
  }
  if (mode == "grow" && !grown_) {
    grown_ = num_ctx_for(*overflow, body_.size());
    s_.desk.overflowed(lease,
                       "Asked for num_ctx " + std::to_string(*grown_) + " for a request: " + what + ".");
    repeat_request();
    return true;
  }
  s_.desk.overflowed(lease, "Refused a request: " + what + ".");
  drop_upstream();
  reply(400, what + "; shorten it, or ask for a larger options.num_ctx");
  return true;
}

// An answer begins.
void Session::tell_truncation(const Lease& lease) {
  if (truncated_) {
    s_.desk.overflowed(lease, "Answered a request to a part of its prompt: " +
                                  describe(*truncated_, lease.residency().name) + ".");
  }
}

void Session::repeat_request() {
  drop_upstream();
  end_lease();
  weighed_.clear();
  weighed_text_.clear();
  deadline_ = SteadyTime::max();
  held_since_ = s_.clock.now();
  enter(State::hold);
}

}  // namespace llamavisor
