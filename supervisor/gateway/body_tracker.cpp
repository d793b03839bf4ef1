#include "gateway/body_tracker.h"

#include <algorithm>
#include <limits>

namespace llamavisor {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

BodyTracker::BodyTracker(Framing framing, std::uint64_t content_length) : left_(content_length) {
  switch (framing) {
    case Framing::none:
      state_ = State::done;
      break;
    case Framing::length:
      state_ = content_length == 0 ? State::done : State::length;
      break;
    case Framing::chunked:
      state_ = State::size_line;
      left_ = 0;
      break;
    case Framing::until_close:
      state_ = State::until_close;
      break;
  }
}

std::size_t BodyTracker::take(std::string_view data, std::string* payload) {
  std::size_t used = 0;
  while (used < data.size() && state_ != State::done && state_ != State::bad) {
    if (state_ == State::length || state_ == State::chunk_data || state_ == State::until_close) {
      used += take_run(data.substr(used), payload);
    } else {
      take_control_byte(data[used++]);
    }
  }
  return used;
}

std::size_t BodyTracker::take_run(std::string_view data, std::string* payload) {
  std::size_t n = data.size();
  if (state_ != State::until_close) {
    n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, n));
    left_ -= n;
  }
  if (payload != nullptr) {
    payload->append(data.substr(0, n));
  }
  if (left_ == 0 && state_ == State::length) {
    state_ = State::done;
  } else if (left_ == 0 && state_ == State::chunk_data) {
    state_ = State::data_cr;
  }
  return n;
}

void BodyTracker::take_control_byte(char c) {
  switch (state_) {
    case State::size_line:
      size_line_byte(c);
      break;
    case State::size_lf:
      state_ = c != '\n' ? State::bad : left_ == 0 ? State::trailer : State::chunk_data;
      line_bytes_ = 0;
      in_extension_ = any_digit_ = false;
      trailer_matched_ = 2;
      break;
    case State::data_cr:
      state_ = c == '\r' ? State::data_lf : State::bad;
      break;
    case State::data_lf:
      state_ = c == '\n' ? State::size_line : State::bad;
      break;
    default:
      trailer_byte(c);
  }
}

void BodyTracker::size_line_byte(char c) {
  const int digit = in_extension_ ? -1 : hex_digit(c);
  const bool too_long =
      ++line_bytes_ > kMaxLineBytes || left_ > (std::numeric_limits<std::uint64_t>::max() >> 8U);
  if (too_long) {
    state_ = State::bad;
  } else if (digit >= 0) {
    left_ = left_ * 16 + static_cast<unsigned>(digit);
    any_digit_ = true;
  } else if (c == '\r' && any_digit_) {
    state_ = State::size_lf;
  } else if (c == ';' && any_digit_) {
    in_extension_ = true;
  } else if (!in_extension_ || c == '\n' || c == '\0') {
    state_ = State::bad;
  }
}

void BodyTracker::trailer_byte(char c) {
  const bool wants_lf = trailer_matched_ % 2 == 1;
  if (++line_bytes_ > kMaxLineBytes || c == '\0' || (c == '\n') != wants_lf) {
    state_ = State::bad;
    return;
  }
  trailer_matched_ = c == '\r' || c == '\n' ? trailer_matched_ + 1 : 0;
  if (trailer_matched_ == 4) {
    state_ = State::done;
  }
}

}  // namespace llamavisor
