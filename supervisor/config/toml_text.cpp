#include "config/toml_text.h"

#include <optional>
#include <string_view>

namespace llamavisor {
namespace {

// Dots outside quotes and comments: in a value such as ours they can only part a key.
bool has_too_many_parts(std::string_view line) {
  char quote = '\0';
  std::size_t dots = 0;
  for (std::size_t i = 0; i < line.size() && (quote != '\0' || line[i] != '#'); ++i) {
    if (quote == '"' && line[i] == '\\') {
      ++i;  // whatever it escapes
    } else if (quote != '\0') {
      quote = line[i] == quote ? '\0' : quote;
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else {
      dots += line[i] == '.' ? 1U : 0U;
    }
  }
  return dots >= kMaxKeyParts;
}

std::optional<TomlMistake> too_deep(std::string_view text) {
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (has_too_many_parts(text.substr(0, end))) {
      return TomlMistake{line, 1, "a key has at most " + std::to_string(kMaxKeyParts) + " parts"};
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

}  // namespace

std::variant<toml::table, TomlMistake> parse_toml(const std::string& text) {
  if (auto mistake = too_deep(text)) {
    return *mistake;
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    return TomlMistake{at.line, at.column, shortened(std::string(error.description()), 200)};
  }
}

std::string shortened(const std::string& text, std::size_t max) {
  if (text.size() <= max) {
    return text;
  }
  std::size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  return text.substr(0, end) + "...";
}

}  // namespace llamavisor
