// Heads of HTTP/1.x messages, parsed by Beast's parser and then checked for what a relay must not pass on.
// Thread: any; pure functions. All views point into the text that was parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamavisor {

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// How the end of a body is known.
enum class Framing { none, length, chunked, until_close };

struct RequestHead {
  std::string_view method;
  std::string_view target;
  unsigned version = 11;  // 10 or 11
  std::vector<HeaderField> fields;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;

  // Value of the first field of that name (any case); empty when there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
};

struct ResponseHead {
  unsigned status = 0;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
};

struct HeadError {
  unsigned http_status = 400;
  const char* reason = "";
};

constexpr std::size_t kMaxHeadBytes = 64 * 1024;

// Length of the head at the start of `text`, its empty line included; 0: not complete yet.
std::size_t head_length(std::string_view text);

// `text` is one whole head. Refused with 400: what is not HTTP/1.0 or 1.1, bare CR or LF, NUL, folded lines,
// repeated or conflicting Content-Length, Content-Length with Transfer-Encoding, any transfer coding but
// chunked, a missing or repeated Host. `out` keeps its capacity between calls.
std::optional<HeadError> parse_request_head(std::string_view text, RequestHead& out);

// `to_head_request`: the request was HEAD, so the answer has no body.
std::optional<HeadError> parse_response_head(std::string_view text, bool to_head_request, ResponseHead& out);

bool iequals(std::string_view a, std::string_view b);

}  // namespace llamavisor
