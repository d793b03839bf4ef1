#include "plugin_host/helper_wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace llamavisor {
namespace {

constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);

// Milliseconds for poll(), rounded up.
int time_left(SteadyDeadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

// Without a deadline the descriptor blocks, and is not waited for here.
Result<void> wait_for(int fd, short what, SteadyDeadline deadline, bool& timed_out) {
  if (deadline == kNoDeadline) {
    return {};
  }
  pollfd watched{fd, what, 0};
  int ready = 0;
  do {
    ready = poll(&watched, 1, time_left(deadline));
  } while (ready < 0 && errno == EINTR);
  timed_out = ready == 0;
  return ready > 0 ? Result<void>() : Error(timed_out ? "no answer in time" : std::strerror(errno));
}

bool again(ssize_t done) {
  return done < 0 && (errno == EAGAIN || errno == EINTR);
}

// Reads until `into` holds `wanted` bytes; `have` are there. Never more than is asked for: no frame follows
// another one unasked.
Result<void> fill(int fd, std::string& into, std::size_t& have, std::size_t wanted, SteadyDeadline deadline,
                  bool& timed_out) {
  while (have < wanted) {
    if (auto ready = wait_for(fd, POLLIN, deadline, timed_out); !ready) {
      return ready;
    }
    const ssize_t got = recv(fd, into.data() + have, into.size() - have, 0);
    if (!again(got) && got <= 0) {
      return Error("closed the connection");
    }
    have += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  return {};
}

}  // namespace

Packer& Packer::text(std::string_view text) {
  add(static_cast<std::uint32_t>(text.size()));
  out_.append(text);
  return *this;
}

Packer& Packer::append(const Packer& values) {
  out_.append(values.out_, kLengthBytes);
  return *this;
}

const std::string& Packer::frame() {
  const auto bytes = static_cast<std::uint32_t>(out_.size() - kLengthBytes);
  std::memcpy(out_.data(), &bytes, sizeof bytes);
  return out_;
}

std::string_view Unpacker::take(std::size_t bytes) {
  ok_ = ok_ && bytes <= left_.size();
  if (!ok_) {
    return {};
  }
  const std::string_view out = left_.substr(0, bytes);
  left_.remove_prefix(bytes);
  return out;
}

std::string_view Unpacker::text(std::size_t max_bytes) {
  const auto bytes = get<std::uint32_t>();
  ok_ = ok_ && bytes <= max_bytes;
  return take(bytes);
}

std::uint32_t Unpacker::count(std::uint32_t max) {
  const auto out = get<std::uint32_t>();
  ok_ = ok_ && out <= max && out <= left_.size();
  return ok_ ? out : 0;
}

Result<void> send_frame(int fd, const std::string& frame, SteadyDeadline deadline, bool& timed_out) {
  if (frame.size() > kMaxFrameBytes + kLengthBytes) {
    return Error("was asked something larger than " + std::to_string(kMaxFrameBytes) + " bytes");
  }
  for (std::size_t sent = 0; sent < frame.size();) {
    if (auto ready = wait_for(fd, POLLOUT, deadline, timed_out); !ready) {
      return ready;
    }
    const ssize_t done = send(fd, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (!again(done) && done <= 0) {
      return Error("closed the connection");
    }
    sent += done > 0 ? static_cast<std::size_t>(done) : 0;
  }
  return {};
}

Result<std::string_view> receive_frame(int fd, std::string& into, SteadyDeadline deadline, bool& timed_out) {
  into.resize(std::max(into.size(), kMostFramesBytes));  // one read takes most frames whole
  std::size_t have = 0;
  if (auto got = fill(fd, into, have, kLengthBytes, deadline, timed_out); !got) {
    return got.error();
  }
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, into.data(), sizeof bytes);
  if (bytes > kMaxFrameBytes || have > kLengthBytes + bytes) {
    return Error("does not keep to the protocol");
  }
  into.resize(std::max(into.size(), kLengthBytes + bytes));
  if (auto got = fill(fd, into, have, kLengthBytes + bytes, deadline, timed_out); !got) {
    return got.error();
  }
  return have == kLengthBytes + bytes
             ? Result<std::string_view>(std::string_view(into).substr(kLengthBytes, bytes))
             : Error("does not keep to the protocol");
}

}  // namespace llamavisor
