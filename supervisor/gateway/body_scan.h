// Reads from an inference body what admission must know, the way Go's encoding/json reads it: keys of the
// top object in any case, the last of several wins, `options` merged; keys inside `options` exactly.
// Thread: one user at a time per BodyScanner.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace llamavisor {

// A piece of the body: where a value stands.
struct Span {
  std::size_t begin = 0;
  std::size_t size = 0;
};

struct BodyFacts {
  std::string model;
  std::optional<std::uint32_t> num_ctx;  // options.num_ctx, when it is a whole number
  std::optional<Span> num_ctx_at;        // its last value
  std::optional<Span> options_at;        // the last options value (object or null)
  bool options_empty = false;            // "{}"
  std::optional<Span> keep_alive_at;     // its last value
  bool keep_alive_zero = false;          // 0 or "0", "0s", ...
  std::optional<Span> truncate_at;       // its last value
  bool truncate_said = false;            // that value is not null
  bool has_prompt = false;               // something to work on, so it is not a bare load or unload
  std::size_t object_begin = 0;          // just behind the top object's '{'
  bool object_empty = false;
};

class BodyScanner {
 public:
  BodyScanner();
  ~BodyScanner();
  BodyScanner(const BodyScanner&) = delete;
  BodyScanner& operator=(const BodyScanner&) = delete;

  // Absent: not a JSON object that could be read, or no model in it. `body` may be reallocated for padding
  // but keeps its content.
  std::optional<BodyFacts> scan(std::string& body);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

// What is to be put into a native body; absent or false: left as it is.
struct BodyEdits {
  std::optional<std::uint32_t> num_ctx;
  std::optional<KeepAlive> keep_alive;
  bool forbid_truncation = false;  // "truncate": false
  [[nodiscard]] bool any() const { return num_ctx || keep_alive || forbid_truncation; }
};

// The values that are there are replaced in place, missing ones are inserted; all other bytes stay as they
// were sent. `body` is what `facts` was read from.
std::string edit_body(std::string_view body, const BodyFacts& facts, const BodyEdits& edits);

// The JSON for a keep_alive: "300s" or -1, the two forms that every version reads.
std::string keep_alive_json(const KeepAlive& keep_alive);

// The `model` field of a multipart/form-data body; absent when it is not there.
std::optional<std::string> model_in_form(std::string_view content_type, std::string_view body);

// Absent: not zstd, or it would be larger than max_bytes.
std::optional<std::string> decode_zstd(std::string_view data, std::size_t max_bytes);

}  // namespace llamavisor
