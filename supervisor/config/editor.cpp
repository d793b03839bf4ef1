#include "config/editor.h"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>

#include "config/layers.h"

namespace llamavisor {
namespace {

using Path = std::vector<std::string>;

Result<Path> parse_key(const std::string& key) {
  Path out(1);
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

std::string quoted_part(const std::string& part) {
  const bool bare =
      part.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
      std::string::npos;
  return bare ? part : to_toml(ConfigValue(part));
}

std::string joined(const Path& path, std::size_t parts) {
  std::string out;
  for (std::size_t i = 0; i < parts; ++i) {
    out += (i == 0 ? "" : ".") + quoted_part(path[i]);
  }
  return out;
}

std::optional<toml::table> parse(const std::string& text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

const toml::node* find(const toml::table& table, const Path& path, std::size_t parts) {
  const toml::node* node = &table;
  for (std::size_t i = 0; i < parts; ++i) {
    const toml::table* here = node->as_table();
    node = here == nullptr ? nullptr : here->get(path[i]);
    if (node == nullptr) {
      return nullptr;
    }
  }
  return node;
}

// Byte offset of a place that toml++ counts in lines and characters.
std::size_t offset_of(const std::string& text, const toml::source_position& at) {
  std::size_t offset = 0;
  for (toml::source_index line = 1; line < at.line; ++line) {
    offset = text.find('\n', offset) + 1;
  }
  for (toml::source_index column = 1; column < at.column && offset < text.size(); ++column) {
    ++offset;
    while (offset < text.size() && (static_cast<unsigned char>(text[offset]) & 0xc0U) == 0x80U) {
      ++offset;
    }
  }
  return offset;
}

// End of the line that a table's header, or its last direct value, stands on.
std::size_t insert_point(const std::string& text, const toml::table& table) {
  toml::source_position last = table.source().begin;
  for (const auto& [key, node] : table) {
    const bool own_section = node.is_table() && !node.as_table()->is_inline();
    if (!own_section && node.source().end.line > last.line) {
      last = node.source().end;
    }
  }
  const std::size_t end = text.find('\n', offset_of(text, last));
  return end == std::string::npos ? text.size() : end + 1;
}

std::string with_new_line(std::string text) {
  if (!text.empty() && text.back() != '\n') {
    text += '\n';
  }
  return text;
}

std::string insert_new(std::string text, const toml::table& table, const Path& path,
                       const std::string& value) {
  const std::string line = quoted_part(path.back()) + " = " + value + "\n";
  const toml::node* parent = find(table, path, path.size() - 1);
  if (path.size() > 1 && parent != nullptr && parent->is_table() && parent->source().begin.line > 0) {
    text = with_new_line(std::move(text));
    return text.insert(insert_point(text, *parent->as_table()), line);
  }
  if (path.size() == 1) {
    return line + text;
  }
  text = with_new_line(std::move(text));
  return text + (text.empty() ? "" : "\n") + "[" + joined(path, path.size() - 1) + "]\n" + line;
}

std::string as_toml_value(const std::string& value) {
  return parse("x = " + value) ? value : to_toml(ConfigValue(value));
}

Result<std::string> checked(const std::string& text) {
  const ConfigResult result = load_layers({{"the new text", text}});
  return result.errors.empty() ? ok(text) : Result<std::string>(Error(result.errors.front()));
}

}  // namespace

Result<std::string> set_config_key(const std::string& text, const std::string& key,
                                   const std::string& value) {
  const auto path = parse_key(key);
  if (!path) {
    return path.error();
  }
  const auto table = parse(text);
  if (!table) {
    return checked(text);
  }
  const std::string new_value = as_toml_value(value);
  const toml::node* node = find(*table, *path, path->size());
  if (node == nullptr) {
    return checked(insert_new(text, *table, *path, new_value));
  }
  const std::size_t begin = offset_of(text, node->source().begin);
  const std::size_t end = offset_of(text, node->source().end);
  return checked(text.substr(0, begin) + new_value + text.substr(end));
}

Result<std::string> remove_config_key(const std::string& text, const std::string& key) {
  const auto path = parse_key(key);
  if (!path) {
    return path.error();
  }
  const auto table = parse(text);
  const toml::node* node = table ? find(*table, *path, path->size()) : nullptr;
  if (node == nullptr) {
    return ok(text);
  }
  const std::size_t value = offset_of(text, node->source().begin);
  const std::size_t begin = text.rfind('\n', value) + 1;
  const std::size_t end = text.find('\n', offset_of(text, node->source().end));
  return checked(text.substr(0, begin) + (end == std::string::npos ? "" : text.substr(end + 1)));
}

}  // namespace llamavisor
