// What passes between llamavisor and a helper process: length-prefixed frames over a socket pair, one answer
// to each question. Both ends are of one build (the helper checks that), so that structs of the C ABI may go
// as they are in memory; nothing that comes from a helper is believed: every read is bounded and may fail.
// Thread: any; one user at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace llamavisor {

// A frame is four bytes of length and that many bytes. A hundred models take about 30 KB.
constexpr std::uint32_t kMaxFrameBytes = 1U << 20U;

constexpr std::size_t kMostFramesBytes = 64U << 10U;  // has room for nearly every one

class Packer {
 public:
  Packer() : out_(sizeof(std::uint32_t), '\0') { out_.reserve(kMostFramesBytes); }

  template <class T>
  Packer& add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Packer& text(std::string_view text);
  Packer& append(const Packer& values);
  // The whole frame, its length filled in.
  [[nodiscard]] const std::string& frame();

 private:
  std::string out_;
};

// Reads what a Packer wrote. Past the end, or of a text longer than its bound, it gives zeros and empty
// texts, and ok() is false from then on.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : left_(bytes) {}

  template <class T>
  T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T out{};
    const std::string_view bytes = take(sizeof out);
    if (bytes.size() == sizeof out) {
      std::memcpy(&out, bytes.data(), sizeof out);
    }
    return out;
  }
  // Lives as long as the bytes that were given.
  std::string_view text(std::size_t max_bytes = kMaxFrameBytes);
  // A number of things that follow, each of at least one byte.
  std::uint32_t count(std::uint32_t max);
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view take(std::size_t bytes);

  std::string_view left_;
  bool ok_ = true;
};

using SteadyDeadline = std::chrono::steady_clock::time_point;
constexpr SteadyDeadline kNoDeadline = SteadyDeadline::max();

// With a deadline the descriptor must be non-blocking, without one blocking.
// Errors, said of the other end: it is gone, the deadline passed (`timed_out` is set), or a frame is larger
// than may be.
Result<void> send_frame(int fd, const std::string& frame, SteadyDeadline deadline, bool& timed_out);
// The bytes after the length, into `into`, whose memory is used again.
Result<std::string_view> receive_frame(int fd, std::string& into, SteadyDeadline deadline, bool& timed_out);

}  // namespace llamavisor
