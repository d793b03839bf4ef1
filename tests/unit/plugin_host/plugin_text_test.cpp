// Text of plugins: any bytes in, valid UTF-8 without control characters out.
#include "plugin_host/plugin_text.h"

#include "support/results.h"

using namespace llamavisor;

namespace {

std::string clean(const std::string& text) {
  return clean_text(text.data(), text.size());
}

}  // namespace

TEST_CASE("each byte at each place of a plugin's text is kept, blanked or replaced") {
  for (int byte = 0; byte < 256; ++byte) {
    const char expected = byte >= 0x80 ? '?' : byte < 0x20 ? ' ' : static_cast<char>(byte);
    for (std::size_t at = 0; at < 20; ++at) {
      std::string text(20, 'x');
      std::string wanted = text;
      text[at] = static_cast<char>(byte);
      wanted[at] = expected;
      CAPTURE(byte, at);
      REQUIRE(clean(text) == wanted);
    }
  }
}

TEST_CASE("a plugin's text keeps whole characters, and is cut at 500 bytes") {
  CHECK(clean("größer als 8 Bytes: 7 \xe2\x82\xac").ends_with("7 \xe2\x82\xac"));
  CHECK(clean("cut \xe2\x82") == "cut ??");
  CHECK(clean("").empty());
  CHECK(clean_text(nullptr, 9).empty());
  CHECK(clean(std::string(5000, 'y')) == std::string(500, 'y'));
}
