#include "config/key_path.h"

#include <algorithm>

#include "config/schema.h"

namespace llamavisor {
namespace {

std::string quoted_part(const std::string& part) {
  const bool bare =
      part.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
      std::string::npos;
  return bare ? part : to_toml(ConfigValue(part));
}

}  // namespace

Result<KeyPath> parse_key_path(const std::string& key) {
  KeyPath out(1);
  bool quoted = false;
  for (const char c : key) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == '.' && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  if (quoted || std::any_of(out.begin(), out.end(), [](const std::string& part) { return part.empty(); })) {
    return Error("\"" + key + "\" is not a key", "write it like memory.limit");
  }
  return out;
}

std::string joined_key(const KeyPath& path, std::size_t begin) {
  std::string out;
  for (std::size_t i = begin; i < path.size(); ++i) {
    out += (i == begin ? "" : ".") + quoted_part(path[i]);
  }
  return out;
}

}  // namespace llamavisor
