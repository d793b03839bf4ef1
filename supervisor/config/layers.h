// From texts to Settings: built-in defaults < profile < system file < user file < overrides < environment <
// flags. Each effective value knows where it came from. All errors of a file are told, not only the first.
// Thread: any; reads no file itself: the caller brings the texts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/schema.h"

namespace llamavisor {

// In each [plugins.NAME]: true runs the plugin in a process of its own. The other keys are the plugin's.
constexpr const char* kIsolateKey = "isolate";

// One layer, the weakest first.
struct ConfigLayer {
  std::string origin;  // a path, "profile laptop", "environment", "flag"
  std::string text;    // TOML
};

struct EffectiveValue {
  std::string value;   // as TOML writes it
  std::string origin;  // "default", "profile laptop", "/etc/...toml:12"
};

struct ConfigResult {
  Settings settings;
  std::map<std::string, EffectiveValue> values;  // by key, those of [models] and [plugins] among them
  std::vector<std::string> errors;               // "file:line:column: key: what is wrong"; the first 50
};

ConfigResult load_layers(const std::vector<ConfigLayer>& layers);

// The value of a top-level string key ("profile", "description"); "" when it is not there or the text is bad.
std::string top_level_text(const std::string& toml, const std::string& key);

// Keys whose effective value differs, told apart by whether they apply live.
struct ConfigDiff {
  std::vector<std::string> applied;
  std::vector<std::string> waits_for_restart;
};
ConfigDiff diff(const ConfigResult& before, const ConfigResult& after);

}  // namespace llamavisor
