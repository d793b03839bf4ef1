// The [plugins.<id>] table, checked against the plugin's own keys and served to it through the C getters.
// Thread: any; one user at a time.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "plugin_host/library.h"

namespace llamavisor {

class PluginConfig {
 public:
  using Value = std::variant<std::int64_t, double, std::string, std::vector<std::string>>;
  using Values = std::map<std::string, Value, std::less<>>;

  PluginConfig() = default;
  // Values that were checked before.
  explicit PluginConfig(Values values) : values_(std::move(values)) {}
  [[nodiscard]] const Values& values() const { return values_; }

  // Fills the defaults. Errors name the key: unknown (with a suggestion), wrong type, out of range, missing.
  static Result<PluginConfig> check(const PluginInfo& plugin,
                                    const std::map<std::string, PluginValue>& values);

  // Is the plugin's own key table sound: names, types, ranges, and defaults that fit them?
  static Result<void> check_keys(const PluginInfo& plugin);

  // Valid while this object lives and stays where it is; its ctx is this object.
  [[nodiscard]] llv_config table() const;

 private:
  static Result<Value> convert(const PluginKey& key, const PluginValue& value);
  static std::int32_t get_i64(void* ctx, const char* key, std::int64_t* out) noexcept;
  static std::int32_t get_f64(void* ctx, const char* key, double* out) noexcept;
  static std::int32_t get_str(void* ctx, const char* key, llv_str* out) noexcept;
  static std::int32_t get_item(void* ctx, const char* key, std::uint32_t index, llv_str* out) noexcept;
  template <class T>
  static std::int32_t find(void* ctx, const char* key, const T*& out) noexcept;

  Values values_;
};

}  // namespace llamavisor
