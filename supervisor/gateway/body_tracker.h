// Finds the end of a body while its bytes are relayed as they are.
//
// Chunked framing is read strictly: size lines of hex digits and a bounded extension, CRLF everywhere,
// bounded trailers. Whatever is laxer could be read in two ways by two servers.
// Thread: any; one user.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/http_head.h"

namespace llamavisor {

class BodyTracker {
 public:
  BodyTracker() = default;
  BodyTracker(Framing framing, std::uint64_t content_length);

  // How many bytes at the start of `data` belong to the body. `payload`, if given, gets what they carry.
  std::size_t take(std::string_view data, std::string* payload = nullptr);
  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] bool bad() const { return state_ == State::bad; }
  [[nodiscard]] bool until_close() const { return state_ == State::until_close; }

 private:
  enum class State {
    length,
    size_line,
    size_lf,
    chunk_data,
    data_cr,
    data_lf,
    trailer,
    until_close,
    done,
    bad
  };
  static constexpr std::size_t kMaxLineBytes = 4096;

  void take_control_byte(char c);
  void size_line_byte(char c);
  void trailer_byte(char c);
  std::size_t take_run(std::string_view data, std::string* payload);

  State state_ = State::done;
  std::uint64_t left_ = 0;      // bytes of this body or chunk
  std::size_t line_bytes_ = 0;  // of the size line or of all trailers
  bool in_extension_ = false;
  bool any_digit_ = false;
  unsigned trailer_matched_ = 2;  // of CR LF CR LF, the first two given by the last size line
};

}  // namespace llamavisor
