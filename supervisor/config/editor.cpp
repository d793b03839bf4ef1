// The text is changed as text, then read again: only a result that says what was asked for, and everything
// else as before, is handed out.
#include "config/editor.h"

#include <optional>
#include <string_view>

#include "config/key_path.h"
#include "config/layers.h"
#include "config/toml_text.h"

namespace llamavisor {
namespace {

std::optional<toml::table> parse(const std::string& text) {
  auto parsed = parse_toml(text);
  auto* table = std::get_if<toml::table>(&parsed);
  return table == nullptr ? std::nullopt : std::optional(std::move(*table));
}

const toml::node* find(const toml::table& table, const KeyPath& path, std::size_t parts) {
  const toml::node* node = &table;
  for (std::size_t i = 0; i < parts && node != nullptr; ++i) {
    const toml::table* here = node->as_table();
    node = here == nullptr ? nullptr : here->get(path[i]);
  }
  return node;
}

// False: a part of the path is no table.
bool put(toml::table& table, const KeyPath& path, const toml::node& value) {
  toml::table* here = &table;
  for (std::size_t i = 0; i + 1 < path.size() && here != nullptr; ++i) {
    here->emplace<toml::table>(path[i]);
    here = here->get_as<toml::table>(path[i]);
  }
  if (here != nullptr) {
    value.visit([&](const auto& typed) { here->insert_or_assign(path.back(), typed); });
  }
  return here != nullptr;
}

// `empty_too`: with it go the tables that it leaves empty, as those of dotted keys do.
void take_out(toml::table& table, const KeyPath& path, bool empty_too, std::size_t at = 0) {
  if (at + 1 == path.size()) {
    table.erase(path[at]);
    return;
  }
  toml::table& below = *table.get_as<toml::table>(path[at]);
  take_out(below, path, empty_too, at + 1);
  if (empty_too && below.empty()) {
    table.erase(path[at]);
  }
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

std::string in_braces(const std::string& text, const toml::table& table, const std::string& line) {
  const std::size_t brace = offset_of(text, table.source().end) - 1;
  const std::size_t end = text.find_last_not_of(' ', brace - 1) + 1;
  return text.substr(0, end) + (table.empty() ? " " : ", ") + line + " " + text.substr(brace);
}

// Texts with the new key in each place where TOML may allow it, the most natural first: in its section, in a
// new one, beside the keys of an outer table, in an inline table's braces, on top.
std::vector<std::string> ways_to_insert(std::string text, const toml::table& table, const KeyPath& path,
                                        const std::string& value) {
  const std::string new_line = text.find("\r\n") == std::string::npos ? "\n" : "\r\n";
  text += text.empty() || text.back() == '\n' ? "" : new_line;
  const auto line = [&](std::size_t from) { return joined_key(path, from) + " = " + value; };
  const std::size_t last = path.size() - 1;
  const std::string section = text + (text.empty() ? "" : new_line) + "[" +
                              joined_key({path.begin(), path.end() - 1}) + "]" + new_line + line(last) +
                              new_line;
  std::vector<std::string> out;
  for (std::size_t depth = last; depth > 0; --depth) {
    const toml::node* node = find(table, path, depth);
    const toml::table* outer = node == nullptr ? nullptr : node->as_table();
    for (std::size_t from = depth + 1; outer != nullptr && from-- > 0;) {
      const std::size_t point = insert_point(text, *outer);
      out.push_back(text.substr(0, point) + line(from) + new_line + text.substr(point));
    }
    if (outer != nullptr && outer->is_inline()) {
      out.push_back(in_braces(text, *outer, line(depth)));
    }
    if (depth == last) {
      out.push_back(section);
    }
  }
  out.push_back(line(0) + new_line + text);
  return out;
}

// `value` as it will stand in the file: TOML if it is one value, without what follows it, else a string.
std::string as_toml_value(const std::string& value) {
  const std::string line = "x = " + value;
  const auto table = parse(line);
  if (!table || table->size() != 1) {
    return to_toml(ConfigValue(value));
  }
  const toml::source_region& at = table->get("x")->source();
  const std::size_t begin = offset_of(line, at.begin);
  return line.substr(begin, offset_of(line, at.end) - begin);
}

Result<std::string> checked(const std::string& text) {
  const ConfigResult result = load_layers({{"the new text", text}});
  return result.errors.empty() ? ok(text) : Result<std::string>(Error(result.errors.front()));
}

Result<std::string> first_that_says(const toml::table& expected, const std::vector<std::string>& texts,
                                    const std::string& key) {
  for (const std::string& text : texts) {
    if (const auto table = parse(text); table && *table == expected) {
      return checked(text);
    }
  }
  return Error(key + " cannot be changed here without changing more", "change the file in an editor");
}

Result<std::string> set_in(const std::string& text, const std::string& key, const std::string& value) {
  const auto path = parse_key_path(key);
  if (!path) {
    return path.error();
  }
  const auto table = parse(text);
  if (!table) {
    return checked(text);
  }
  const toml::node* node = find(*table, *path, path->size());
  if (node != nullptr && node->is_table()) {
    return Error(key + " is a section", "name a key in it: " + key + ".NAME");
  }
  const std::string new_value = as_toml_value(value);
  const auto new_node = parse("x = " + new_value);
  toml::table expected = *table;
  if (!new_node || !put(expected, *path, *new_node->get("x"))) {
    return Error(key + " cannot be set to " + shortened(value), "it must be UTF-8, and a key of a section");
  }
  if (node == nullptr) {
    return first_that_says(expected, ways_to_insert(text, *table, *path, new_value), key);
  }
  const std::size_t begin = offset_of(text, node->source().begin);
  const std::size_t end = offset_of(text, node->source().end);
  return first_that_says(expected, {text.substr(0, begin) + new_value + text.substr(end)}, key);
}

Result<std::string> remove_in(const std::string& text, const std::string& key) {
  const auto path = parse_key_path(key);
  if (!path) {
    return path.error();
  }
  const auto table = parse(text);
  const toml::node* node = table ? find(*table, *path, path->size()) : nullptr;
  if (node == nullptr) {
    return ok(text);
  }
  const std::size_t begin = text.rfind('\n', offset_of(text, node->source().begin)) + 1;
  const std::size_t end = text.find('\n', offset_of(text, node->source().end));
  const std::string without = text.substr(0, begin) + (end == std::string::npos ? "" : text.substr(end + 1));
  toml::table section_stays = *table;
  toml::table section_goes = *table;
  take_out(section_stays, *path, false);
  take_out(section_goes, *path, true);
  auto done = first_that_says(section_stays, {without}, key);
  return done ? done : first_that_says(section_goes, {without}, key);
}

// toml++ does not count a byte order mark, so places are looked for behind it.
template <class Edit>
Result<std::string> behind_mark(const std::string& text, Edit edit) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  const std::size_t mark = text.starts_with(kMark) ? kMark.size() : 0;
  auto edited = edit(text.substr(mark));
  return edited ? ok(text.substr(0, mark) + *edited) : edited;
}

}  // namespace

Result<std::string> set_config_key(const std::string& text, const std::string& key,
                                   const std::string& value) {
  return behind_mark(text, [&](const std::string& rest) { return set_in(rest, key, value); });
}

Result<std::string> remove_config_key(const std::string& text, const std::string& key) {
  return behind_mark(text, [&](const std::string& rest) { return remove_in(rest, key); });
}

}  // namespace llamavisor
