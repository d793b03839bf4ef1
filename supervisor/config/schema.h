// The one table of keys: names, types, ranges, defaults, help, and how each is put into the Settings. The
// reader, `config show`, `config set`, reference.toml and the man page all come from it.
// Thread: any; pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace llamavisor {

// A value as TOML gives it.
using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct ConfigKey {
  std::string name;           // "memory.limit"
  std::string type;           // in words: "a size such as \"512MB\""
  std::string default_value;  // as it stands in TOML
  bool live = false;          // applies on reload; else it waits for a restart
  std::string help;
  std::function<Result<void>(Settings&, const ConfigValue&)> set;
};

const std::vector<ConfigKey>& config_keys();
const ConfigKey* find_config_key(const std::string& name);
std::vector<std::string> config_key_names();

// The fields of one [models."glob"] table; `set` works on a ModelRule.
struct ModelKey {
  std::string name;
  std::string type;
  std::string help;
  std::function<Result<void>(ModelRule&, const ConfigValue&)> set;
};
const std::vector<ModelKey>& model_keys();

Result<LimitSpec> parse_limit(const std::string& text);
Result<KeepAlive> parse_keep_alive(const ConfigValue& value);
// Bytes that the limit means on a machine (or in a cgroup) with that much memory. "auto" is 60 %, leaving at
// least 1 GB: what a desktop needs beside its models.
std::uint64_t resolve_limit(const LimitSpec& limit, std::uint64_t machine_bytes);

// As TOML writes it.
std::string to_toml(const ConfigValue& value);

}  // namespace llamavisor
