// Reads a file forwards, at most a number of bytes of it, and trusts no length that stands in it.
// After the first failure it stays bad and every read gives 0 or "". Thread: one at a time; blocking.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/unique_fd.h"

namespace llamavisor {

class BoundedReader {
 public:
  // Only regular files are opened: a pipe in the place of one could block for ever.
  BoundedReader(const std::string& path, std::uint64_t max_bytes);

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::uint64_t left() const { return good_ ? end_ - at_ : 0; }

  template <class T>
  T take() {
    std::array<char, sizeof(T)> bytes{};
    read(bytes.data(), bytes.size());
    T out{};
    std::memcpy(&out, bytes.data(), bytes.size());
    return good_ ? out : T{};
  }
  // A text of `size` bytes; one longer than `keep` is skipped and read as "".
  std::string text(std::uint64_t size, std::uint64_t keep);
  void skip(std::uint64_t bytes);
  void fail() { good_ = false; }

 private:
  void read(char* out, std::size_t size);
  bool fill();

  UniqueFd fd_;
  bool good_ = false;
  std::uint64_t at_ = 0;   // offset of the next byte
  std::uint64_t end_ = 0;  // of the file or of the bound
  std::array<char, 16384> buffer_{};
  std::uint64_t buffer_at_ = 0;  // offset of the buffer's first byte
  std::size_t buffered_ = 0;
};

}  // namespace llamavisor
