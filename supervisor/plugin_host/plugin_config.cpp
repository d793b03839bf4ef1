#include "plugin_host/plugin_config.h"

#include <algorithm>
#include <set>

#include "base/overloaded.h"
#include "base/text.h"
#include "base/units.h"
#include "config/layers.h"

namespace llamavisor {
namespace {

// A default is written as in TOML, text without its quotes.
Result<PluginValue> value_of_default(const PluginKey& key) {
  if (key.type == LLV_KEY_STR || key.type == LLV_KEY_DURATION || key.type == LLV_KEY_BYTES) {
    return PluginValue(key.default_value);
  }
  const ConfigResult read = load_layers({{"default", "[plugins.p]\nk = " + key.default_value}});
  const auto table = read.settings.plugins.find("p");
  if (!read.errors.empty() || table == read.settings.plugins.end()) {
    return Error(key.name + ": its default is not a value: " + key.default_value);
  }
  return table->second.at("k");
}

// [a-z][a-z0-9_]*
bool is_key_name(const std::string& name) {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

const char* wanted(std::int32_t type) {
  switch (type) {
    case LLV_KEY_I64:
      return "a whole number";
    case LLV_KEY_F64:
      return "a number";
    case LLV_KEY_BOOL:
      return "true or false";
    case LLV_KEY_DURATION:
      return "a duration such as \"30s\"";
    case LLV_KEY_BYTES:
      return "a size such as \"512MB\"";
    case LLV_KEY_STR_LIST:
      return "a list of strings";
    default:
      return "a string";
  }
}

Result<void> check_range(const PluginKey& key, double value) {
  if (key.min < key.max && (value < key.min || value > key.max)) {
    return Error(key.name + ": out of range");
  }
  return {};
}

}  // namespace

Result<PluginConfig::Value> PluginConfig::convert(const PluginKey& key, const PluginValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* whole = std::get_if<std::int64_t>(&value);
  const auto* real = std::get_if<double>(&value);
  std::optional<Value> out;
  if (key.type == LLV_KEY_BOOL && std::holds_alternative<bool>(value)) {
    out = std::int64_t{std::get<bool>(value)};
  } else if (key.type == LLV_KEY_I64 && whole != nullptr) {
    out = *whole;
  } else if (key.type == LLV_KEY_F64 && (real != nullptr || whole != nullptr)) {
    out = real != nullptr ? *real : static_cast<double>(*whole);
  } else if (key.type == LLV_KEY_STR && text != nullptr) {
    out = *text;
  } else if (key.type == LLV_KEY_STR_LIST && std::holds_alternative<std::vector<std::string>>(value)) {
    out = std::get<std::vector<std::string>>(value);
  } else if (key.type == LLV_KEY_DURATION && text != nullptr) {
    if (const auto parsed = parse_duration(*text)) {
      out = std::int64_t{parsed->count() * 1'000'000};
    }
  } else if (key.type == LLV_KEY_BYTES && text != nullptr) {
    if (const auto parsed = parse_bytes(*text)) {
      out = static_cast<std::int64_t>(*parsed);
    }
  }
  if (!out) {
    return Error(key.name + ": expected " + wanted(key.type));
  }
  const auto* number = std::get_if<std::int64_t>(&*out);
  const auto* fraction = std::get_if<double>(&*out);
  const auto in_range = number != nullptr     ? check_range(key, static_cast<double>(*number))
                        : fraction != nullptr ? check_range(key, *fraction)
                                              : Result<void>();
  return in_range ? Result<Value>(boost::system::in_place_value, std::move(*out)) : in_range.error();
}

Result<void> PluginConfig::check_keys(const PluginInfo& plugin) {
  std::set<std::string> names;
  for (const PluginKey& key : plugin.keys) {
    if (!is_key_name(key.name)) {
      return Error("\"" + key.name + "\" is not the name of a key");
    }
    if (key.name == kIsolateKey) {
      return Error("a key of its own cannot be named " + key.name);
    }
    if (!names.insert(key.name).second) {
      return Error("two keys are named " + key.name);
    }
    if (key.type < LLV_KEY_I64 || key.type > LLV_KEY_STR_LIST) {
      return Error("key " + key.name + " has type " + std::to_string(key.type) +
                   ", which this llamavisor does not know");
    }
    if (!key.has_default) {
      continue;
    }
    const auto value = value_of_default(key);
    const auto fits = value ? convert(key, *value) : Result<Value>(value.error());
    if (!fits) {
      return fits.error().within("the default of key");
    }
  }
  return {};
}

Result<PluginConfig> PluginConfig::check(const PluginInfo& plugin,
                                         const std::map<std::string, PluginValue>& values) {
  PluginConfig out;
  std::vector<std::string> names;
  for (const PluginKey& key : plugin.keys) {
    names.push_back(key.name);
    const auto given = values.find(key.name);
    if (given == values.end() && !key.has_default) {
      if (key.required) {
        return Error("[plugins." + plugin.id + "] " + key.name + " must be set: " + key.help);
      }
      continue;
    }
    const auto raw = given == values.end() ? value_of_default(key) : Result<PluginValue>(given->second);
    auto value = raw ? convert(key, *raw) : Result<Value>(raw.error());
    if (!value) {
      return value.error().within("[plugins." + plugin.id + "]");
    }
    out.values_[key.name] = std::move(*value);
  }
  for (const auto& [name, value] : values) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string near = closest(name, names);
      return Error("[plugins." + plugin.id + "] has no key " + name,
                   near.empty() ? "see llamavisor plugin info " + plugin.id : "did you mean " + near + "?");
    }
  }
  return out;
}

llv_config PluginConfig::table() const {
  llv_config out{};
  out.struct_size = sizeof out;
  out.ctx = const_cast<PluginConfig*>(this);
  out.get_i64 = &get_i64;
  out.get_f64 = &get_f64;
  out.get_str = &get_str;
  out.get_item = &get_item;
  return out;
}

template <class T>
std::int32_t PluginConfig::find(void* ctx, const char* key, const T*& out) noexcept {
  const auto& values = static_cast<const PluginConfig*>(ctx)->values_;
  const auto it = values.find(std::string_view(key));
  if (it == values.end()) {
    return LLV_E_NOT_FOUND;
  }
  out = std::get_if<T>(&it->second);
  return out == nullptr ? LLV_E_TYPE : LLV_OK;
}

std::int32_t PluginConfig::get_i64(void* ctx, const char* key, std::int64_t* out) noexcept {
  const std::int64_t* value = nullptr;
  const std::int32_t code = find(ctx, key, value);
  if (code == LLV_OK) {
    *out = *value;
  }
  return code;
}

std::int32_t PluginConfig::get_f64(void* ctx, const char* key, double* out) noexcept {
  const double* value = nullptr;
  const std::int32_t code = find(ctx, key, value);
  if (code == LLV_OK) {
    *out = *value;
  }
  return code;
}

std::int32_t PluginConfig::get_str(void* ctx, const char* key, llv_str* out) noexcept {
  const std::string* value = nullptr;
  const std::int32_t code = find(ctx, key, value);
  if (code == LLV_OK) {
    *out = {value->data(), value->size()};
  }
  return code;
}

std::int32_t PluginConfig::get_item(void* ctx, const char* key, std::uint32_t index, llv_str* out) noexcept {
  const std::vector<std::string>* value = nullptr;
  const std::int32_t code = find(ctx, key, value);
  if (code != LLV_OK) {
    return code;
  }
  if (index >= value->size()) {
    return LLV_E_NOT_FOUND;
  }
  *out = {(*value)[index].data(), (*value)[index].size()};
  return LLV_OK;
}

}  // namespace llamavisor
