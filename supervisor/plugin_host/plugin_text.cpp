#include "plugin_host/plugin_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace llamavisor {
namespace {

// How many bytes the UTF-8 character at the start of `text` takes; 0: it is not one.
std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t n = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : (lead & 0xf0U) == 0xe0      ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (n == 0 || n > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < n; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80) {
      return 0;
    }
  }
  return n;
}

// Printable ASCII, as nearly all texts are. Without a branch in the loop: a hundred reasons are looked at in
// one call.
bool is_plain(std::string_view text) {
  unsigned others = 0;
  for (const char c : text) {
    others |= static_cast<unsigned>(static_cast<unsigned char>(c) - 0x20U > 0x5fU);
  }
  return others == 0;
}

}  // namespace

std::string clean_text(const char* data, std::uint64_t size) {
  if (data == nullptr) {
    return {};
  }
  std::string_view text(data, std::min<std::uint64_t>(size, kMaxReasonBytes));
  if (is_plain(text)) {
    return std::string(text);
  }
  std::string out;
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    const bool control = n == 1 && static_cast<unsigned char>(text[0]) < 0x20;
    out += n == 0 ? "?" : control ? " " : std::string(text.substr(0, n));
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

TextOut::TextOut() {
  text_ = {sizeof text_, sizeof data_, 0, 0, data_};
}

// The claimed length is not trusted beyond the buffer.
std::string TextOut::take() const {
  return clean_text(data_, std::min<std::uint64_t>(text_.length, sizeof data_));
}

void put_text(llv_text* out, std::string_view text) {
  out->length = static_cast<std::uint32_t>(std::min<std::size_t>(text.size(), out->capacity));
  std::memcpy(out->data, text.data(), out->length);
}

}  // namespace llamavisor
