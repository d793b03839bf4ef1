#include "config/layers.h"

#include <algorithm>

#include "base/text.h"
#include "config/toml_text.h"

namespace llamavisor {
namespace {

constexpr std::size_t kMaxErrors = 50;

// One layer's walk. Every entry either lands in the result or becomes an error with its place.
class LayerReader {
 public:
  LayerReader(const ConfigLayer& layer, ConfigResult& out) : layer_(layer), out_(out) {}

  void read() {
    const auto parsed = parse_toml(layer_.text);
    if (const auto* mistake = std::get_if<TomlMistake>(&parsed)) {
      complain_at(mistake->line, mistake->column, mistake->what);
      return;
    }
    for (const auto& [key, node] : std::get<toml::table>(parsed)) {
      top_level(std::string(key.str()), node);
    }
  }

 private:
  void top_level(const std::string& key, const toml::node& node) {
    if (key == "profile" || key == "description") {
      if (!node.is_string()) {
        complain(node, key, "expected a string");
      }
      return;
    }
    const toml::table* table = node.as_table();
    if (key == "models" && table != nullptr) {
      read_models(*table);
    } else if (key == "plugins" && table != nullptr) {
      read_plugins(*table);
    } else if (table != nullptr) {
      read_section(key, *table);
    } else {
      auto known = sections();
      known.emplace_back("profile");
      complain(node, key, "unknown key" + suggestion(key, known));
    }
  }

  void read_section(const std::string& section, const toml::table& table) {
    const auto names = sections();
    if (std::find(names.begin(), names.end(), section) == names.end()) {
      complain(table, section, "unknown section" + suggestion(section, names));
      return;
    }
    for (const auto& [key, node] : table) {
      const std::string name = section + "." + std::string(key.str());
      if (name == "server.env") {
        read_env(node);
      } else {
        set(name, node);
      }
    }
  }

  void set(const std::string& name, const toml::node& node) {
    const ConfigKey* key = find_config_key(name);
    if (key == nullptr) {
      complain(node, name, "unknown key" + suggestion(name, config_key_names()));
      return;
    }
    const auto value = value_of(node);
    const auto done = value ? key->set(out_.settings, *value) : Result<void>(Error("expected " + key->type));
    if (!done) {
      complain(node, name, done.error().message);
    } else {
      note(name, *value, node);
    }
  }

  void read_env(const toml::node& section) {
    const toml::table* table = section.as_table();
    if (table == nullptr) {
      complain(section, "server.env", "expected a table: [server.env]");
      return;
    }
    for (const auto& [key, node] : *table) {
      const std::string name(key.str());
      const auto text = node.value<std::string>();
      if (!text || name.empty() || name.find('=') != std::string::npos) {
        complain(node, "server.env." + name, "expected a string");
        continue;
      }
      out_.settings.server.env[name] = *text;
      note("server.env." + name, *text, node);
    }
  }

  // The rules of a stronger layer come before those of a weaker one; in a layer the order of the file counts,
  // which toml++ does not keep: its tables are sorted by name.
  void read_models(const toml::table& table) {
    std::vector<std::pair<toml::source_position, ModelRule>> rules;
    for (const auto& [glob, node] : table) {
      const toml::table* fields = node.as_table();
      if (fields == nullptr) {
        complain(node, "models." + std::string(glob.str()), "expected a table: [models.\"name\"]");
        continue;
      }
      auto& entry = rules.emplace_back(node.source().begin, ModelRule{.glob = std::string(glob.str())});
      for (const auto& [key, value] : *fields) {
        set_model_key(entry.second, std::string(key.str()), value);
      }
    }
    std::sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<ModelRule> all;
    all.reserve(rules.size());
    for (auto& [at, rule] : rules) {
      all.push_back(std::move(rule));
    }
    auto& weaker = out_.settings.models;
    std::move(weaker.begin(), weaker.end(), std::back_inserter(all));
    weaker = std::move(all);
  }

  void set_model_key(ModelRule& rule, const std::string& key, const toml::node& node) {
    const std::string name = "models.\"" + rule.glob + "\"." + key;
    std::vector<std::string> known;
    for (const ModelKey& candidate : model_keys()) {
      known.push_back(candidate.name);
      if (candidate.name != key) {
        continue;
      }
      const auto value = value_of(node);
      const auto done =
          value ? candidate.set(rule, *value) : Result<void>(Error("expected " + candidate.type));
      if (!done) {
        complain(node, name, done.error().message);
      } else {
        note(name, *value, node);
      }
      return;
    }
    complain(node, name, "unknown key" + suggestion(key, known));
  }

  // A plugin's own keys are checked against its own table when it is loaded.
  void read_plugins(const toml::table& table) {
    for (const auto& [id, node] : table) {
      if (id.str() == "dirs") {
        set("plugins.dirs", node);
        continue;
      }
      const toml::table* values = node.as_table();
      if (values == nullptr) {
        complain(node, "plugins." + std::string(id.str()), "expected a table: [plugins.name]");
        continue;
      }
      for (const auto& [key, entry] : *values) {
        const std::string name = "plugins." + std::string(id.str()) + "." + std::string(key.str());
        const auto value = value_of(entry);
        if (!value) {
          complain(entry, name, "expected a string, number, true or false, or a list of strings");
          continue;
        }
        if (key.str() == kIsolateKey && !std::holds_alternative<bool>(*value)) {
          complain(entry, name, "expected true or false");
          continue;
        }
        out_.settings.plugins[std::string(id.str())][std::string(key.str())] = *value;
        note(name, *value, entry);
      }
    }
  }

  static std::optional<ConfigValue> value_of(const toml::node& node) {
    if (const auto* text = node.as_string()) {
      return ConfigValue(text->get());
    }
    if (const auto* flag = node.as_boolean()) {
      return ConfigValue(flag->get());
    }
    if (const auto* number = node.as_integer()) {
      return ConfigValue(number->get());
    }
    if (const auto* real = node.as_floating_point()) {
      return ConfigValue(real->get());
    }
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      return std::nullopt;
    }
    std::vector<std::string> items;
    for (const toml::node& item : *array) {
      if (!item.is_string()) {
        return std::nullopt;
      }
      items.push_back(item.as_string()->get());
    }
    return ConfigValue(std::move(items));
  }

  static std::vector<std::string> sections() {
    std::vector<std::string> out{"models", "plugins"};
    for (const ConfigKey& key : config_keys()) {
      const std::string section = key.name.substr(0, key.name.find('.'));
      if (std::find(out.begin(), out.end(), section) == out.end()) {
        out.push_back(section);
      }
    }
    return out;
  }

  std::string suggestion(const std::string& word, const std::vector<std::string>& known) const {
    const std::string near = out_.errors.size() < kMaxErrors ? closest(word, known) : "";
    return near.empty() ? "" : "; did you mean " + near + "?";
  }

  std::string place(std::size_t line, std::size_t column) const {
    return layer_.origin + ":" + std::to_string(line) + ":" + std::to_string(column) + ": ";
  }
  void complain(const toml::node& node, const std::string& key, const std::string& what) {
    const auto& at = node.source().begin;
    complain_at(at.line, at.column, shortened(key) + ": " + what);
  }
  // A damaged file can be wrong in every line: nobody reads more than the first ones.
  void complain_at(std::size_t line, std::size_t column, const std::string& what) {
    if (out_.errors.size() < kMaxErrors) {
      out_.errors.push_back(place(line, column) + what);
    } else if (out_.errors.size() == kMaxErrors) {
      out_.errors.emplace_back("... and more");
    }
  }
  void note(const std::string& key, const ConfigValue& value, const toml::node& node) {
    const bool file = layer_.origin.starts_with('/');
    out_.values[key] = {to_toml(value),
                        layer_.origin + (file ? ":" + std::to_string(node.source().begin.line) : "")};
  }

  const ConfigLayer& layer_;
  ConfigResult& out_;
};

}  // namespace

ConfigResult load_layers(const std::vector<ConfigLayer>& layers) {
  ConfigResult out;
  for (const ConfigKey& key : config_keys()) {
    out.values[key.name] = {key.default_value, "default"};
  }
  for (const ConfigLayer& layer : layers) {
    LayerReader(layer, out).read();
  }
  return out;
}

std::string top_level_text(const std::string& toml, const std::string& key) {
  const auto parsed = parse_toml(toml);
  const auto* table = std::get_if<toml::table>(&parsed);
  return table == nullptr ? "" : (*table)[key].value_or(std::string());
}

ConfigDiff diff(const ConfigResult& before, const ConfigResult& after) {
  ConfigDiff out;
  std::map<std::string, EffectiveValue> all = before.values;
  all.insert(after.values.begin(), after.values.end());
  for (const auto& [key, unused] : all) {
    const auto old_value = before.values.find(key);
    const auto new_value = after.values.find(key);
    const bool same = old_value != before.values.end() && new_value != after.values.end() &&
                      old_value->second.value == new_value->second.value;
    const ConfigKey* known = find_config_key(key);
    const bool live = known != nullptr ? known->live : !key.starts_with("server.env.");
    if (!same) {
      (live ? out.applied : out.waits_for_restart).push_back(key);
    }
  }
  return out;
}

}  // namespace llamavisor
