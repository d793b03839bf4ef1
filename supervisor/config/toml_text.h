// TOML text -> toml++'s tree, within bounds that a damaged file cannot break. Thread: any; pure.
#pragma once

#include <toml++/toml.h>

#include <cstddef>
#include <string>
#include <variant>

namespace llamavisor {

struct TomlMistake {
  std::size_t line = 0;    // from 1
  std::size_t column = 0;  // in characters, from 1
  std::string what;
};

// toml++ takes a tree apart by recursion, so a key of 100,000 parts would overrun the stack: keys of more
// than kMaxKeyParts parts are a mistake. Nested values are bounded by toml++ itself.
constexpr std::size_t kMaxKeyParts = 32;

std::variant<toml::table, TomlMistake> parse_toml(const std::string& text);

// At most `max` characters of `text`, for messages; what was cut is shown as "...".
std::string shortened(const std::string& text, std::size_t max = 60);

}  // namespace llamavisor
