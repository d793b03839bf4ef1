#include "app/loaded_config.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "memory/proc_reader.h"
#include "ollama/model_store.h"
#include "store/overrides.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxFileBytes = 1U << 20U;
constexpr std::uint64_t kGiB = 1ULL << 30U;

// LLAMAVISOR_MEMORY_LIMIT=6GB -> [memory] limit = "6GB"
std::string environment_layer(const Environment& environment) {
  std::string out;
  for (const ConfigKey& key : config_keys()) {
    std::string name = "LLAMAVISOR_" + key.name;
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    });
    const std::string value = environment_value(environment, name);
    if (!value.empty()) {
      const bool plain = key.default_value.find_first_of("\"[") == std::string::npos;
      const bool list = key.default_value.starts_with("[") && value.starts_with("[");
      out += key.name + " = " + (plain || list ? value : to_toml(ConfigValue(value))) + "\n";
    }
  }
  return out;
}

std::string flag_layer(const ServeOptions& options) {
  std::string out;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) {
      out += std::string(key) + " = " + to_toml(ConfigValue(value)) + "\n";
    }
  };
  add("gateway.listen", options.listen);
  add("server.ollama", options.ollama);
  add("memory.limit", options.limit);
  add("log.level", options.log_level);
  return out;
}

// The files that are there, the weakest first. A file that was named must be there.
Result<std::vector<ConfigLayer>> file_layers(LoadedConfig& out) {
  std::vector<std::string> paths{system_config_path(), user_config_path()};
  if (!out.options.config_file.empty()) {
    std::error_code ec;
    const fs::path named = fs::absolute(out.options.config_file, ec);
    if (ec) {
      return Error("the working directory is gone: " + ec.message(), "give --config as an absolute path");
    }
    paths = {named.string()};
  }
  std::vector<ConfigLayer> layers;
  for (const std::string& path : paths) {
    std::error_code ec;
    const bool present = fs::exists(path, ec);
    out.files.push_back({path, present});
    if (!present && out.options.config_file.empty()) {
      continue;
    }
    auto text = read_file(path, kMaxFileBytes);
    if (!text) {
      return text.error();
    }
    layers.push_back({path, std::move(*text)});
  }
  std::string warning;
  const std::string overrides = read_overrides(overrides_path(), warning);
  out.files.push_back({overrides_path(), !overrides.empty()});
  if (!warning.empty()) {
    out.warnings.push_back(warning);
  }
  layers.push_back({overrides_path(), overrides});
  return layers;
}

std::string wanted_profile(const LoadedConfig& out, const std::vector<ConfigLayer>& layers) {
  std::string name = out.options.profile;
  if (name.empty()) {
    name = environment_value(out.environment, "LLAMAVISOR_PROFILE");
  }
  for (auto it = layers.rbegin(); name.empty() && it != layers.rend(); ++it) {
    name = top_level_text(it->text, "profile");
  }
  return name.empty() || name == "auto" ? pick_profile(out.machine_bytes) : name;
}

Result<ConfigLayer> profile_layer(const std::string& name) {
  std::string known;
  for (const ProfileInfo& profile : list_profiles()) {
    if (profile.name == name) {
      return ConfigLayer{"profile " + name, profile.text};
    }
    known += (known.empty() ? "" : ", ") + profile.name;
  }
  return Error("there is no profile named " + name,
               known.empty() ? "no profiles in " + profile_dir() : "choose one of " + known + ", or auto");
}

}  // namespace

Result<LoadedConfig> LoadedConfig::load(const ServeOptions& options) {
  LoadedConfig out;
  out.options = options;
  out.environment = own_environment();
  out.machine_bytes = machine_memory_bytes();
  auto layers = file_layers(out);
  if (!layers) {
    return layers.error();
  }
  const std::string name = wanted_profile(out, *layers);
  auto profile = profile_layer(name);
  if (!profile) {
    return profile.error();
  }
  layers->insert(layers->begin(), std::move(*profile));
  layers->push_back({"environment", environment_layer(out.environment)});
  layers->push_back({"flag", flag_layer(options)});
  out.result = load_layers(*layers);
  if (!out.result.errors.empty()) {
    std::string all;
    for (const std::string& error : out.result.errors) {
      all += (all.empty() ? "" : "\n") + error;
    }
    return Error(all);
  }
  out.settings = out.result.settings;
  out.settings.profile = name;
  for (const auto& [key, value] : out.result.values) {
    out.origins[key] = value.origin;
  }
  adopt_environment(out.settings, out.origins, out.environment);
  return out;
}

std::string LoadedConfig::limit_text() const {
  const std::string value = result.values.at("memory.limit").value;
  return value.size() >= 2 ? value.substr(1, value.size() - 2) : value;
}

std::string LoadedConfig::listen() const {
  return settings.gateway.listen.empty() ? environment_value(environment, "OLLAMA_HOST")
                                         : settings.gateway.listen;
}

std::string LoadedConfig::models_dir() const {
  const auto given = settings.server.env.find("OLLAMA_MODELS");  // the last word, as for the server
  if (given != settings.server.env.end()) {
    return given->second;
  }
  return settings.server.models.empty() ? default_models_dir() : settings.server.models;
}

LogFileOptions LoadedConfig::log_file_options() const {
  LogFileOptions out;
  out.path = settings.log.file.empty() ? state_dir() + "/ollama.log" : settings.log.file;
  out.max_bytes = settings.log.max_bytes;
  out.files = settings.log.files;
  return out;
}

std::vector<ProfileInfo> list_profiles() {
  std::vector<ProfileInfo> out;
  std::error_code ec;
  for (fs::directory_iterator it(profile_dir(), ec), end; !ec && it != end; it.increment(ec)) {
    const auto text = it->path().extension() == ".toml" ? read_file(it->path(), kMaxFileBytes)
                                                        : Result<std::string>(Error("not a profile"));
    if (text) {
      const ConfigResult read = load_layers({{it->path(), *text}});
      const std::string limit = read.values.at("memory.limit").value;
      out.push_back({it->path().stem(), top_level_text(*text, "description"),
                     limit.substr(1, limit.size() - 2), *text});
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::string pick_profile(std::uint64_t machine_bytes) {
  return machine_bytes < 12 * kGiB   ? "laptop"
         : machine_bytes < 24 * kGiB ? "desktop"
         : machine_bytes < 48 * kGiB ? "workstation"
                                     : "server";
}

std::uint64_t machine_memory_bytes() {
  const ProcReader proc;
  const auto total = proc.meminfo().total_bytes.value_or(8 * kGiB);
  const auto cgroup = proc.cgroup_memory();
  return cgroup && cgroup->limit_bytes ? std::min(total, *cgroup->limit_bytes) : total;
}

}  // namespace llamavisor
