// Text that comes out of a plugin: never trusted in length or content. Thread: any.
#pragma once

#include <llamavisor/abi.h>

#include <string>
#include <string_view>

namespace llamavisor {

inline constexpr std::size_t kMaxReasonBytes = 500;

// Text buffer for a call: holds what the plugin wrote, cut to what it may have written and made valid UTF-8.
class TextOut {
 public:
  TextOut();
  [[nodiscard]] llv_text* get() { return &text_; }
  [[nodiscard]] std::string take() const;

 private:
  char data_[1024] = {};
  llv_text text_{};
};

// What a borrowed text of a plugin says, cut to kMaxReasonBytes and made valid UTF-8.
std::string clean_text(const char* data, std::uint64_t size);

// Writes what fits; for callees.
void put_text(llv_text* out, std::string_view text);

}  // namespace llamavisor
