// The configuration as it stands: all layers read from their places, and what they come to.
// Thread: any; load() blocks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/serve.h"
#include "base/result.h"
#include "config/layers.h"
#include "ollama/child_env.h"
#include "ollama/log_file.h"

namespace llamavisor {

struct ConfigFile {
  std::string path;
  bool present = false;
};

struct LoadedConfig {
  ServeOptions options;  // the flags, kept for a reload
  ConfigResult result;
  Settings settings;  // result.settings, the environment adopted
  Origins origins;
  Environment environment;  // of this process
  std::vector<ConfigFile> files;
  std::vector<std::string> warnings;
  std::uint64_t machine_bytes = 0;  // min(physical, cgroup)

  // Errors: every line of every file that is wrong, one below the other.
  static Result<LoadedConfig> load(const ServeOptions& options);

  [[nodiscard]] std::uint64_t limit_bytes() const {
    return resolve_limit(settings.memory.limit, machine_bytes);
  }
  [[nodiscard]] std::string limit_text() const;  // "12GB", as it is written
  [[nodiscard]] std::string listen() const;      // the setting, else OLLAMA_HOST; "" = the default address
  [[nodiscard]] std::string models_dir() const;
  [[nodiscard]] LogFileOptions log_file_options() const;
};

struct ProfileInfo {
  std::string name;
  std::string description;
  std::string limit;
  std::string text;
};
// By name, from the profile folder; empty when it is not there.
std::vector<ProfileInfo> list_profiles();
// What "auto" means on a machine with that much memory: the profile whose limit leaves about half of it.
std::string pick_profile(std::uint64_t machine_bytes);
std::uint64_t machine_memory_bytes();

}  // namespace llamavisor
