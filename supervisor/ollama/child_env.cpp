#include "ollama/child_env.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace llamavisor {
namespace {

bool is_for_server(std::string_view name) {
  return name.starts_with("OLLAMA_") || name.starts_with("LLAMA_ARG_");
}

std::string_view name_of(std::string_view entry) {
  return entry.substr(0, entry.find('='));
}

std::string keep_alive_text(const KeepAlive& keep_alive) {
  if (keep_alive.forever) {
    return "-1";
  }
  const auto count = keep_alive.duration.count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + "s" : std::to_string(count) + "ms";
}

// Collects entries by name; what is put later wins, and says what it replaced.
class Builder {
 public:
  explicit Builder(const ChildEnvInputs& inputs) : inputs_(inputs) {}

  void set(const std::string& name, const std::string& value, const std::string& origin) {
    const std::string own = environment_value(inputs_.own, name);
    const bool replaced = !own.empty() && own != value && origin != "environment";
    entries_[name] = {name, value, replaced ? origin + ", instead of the environment's" : origin};
  }
  void set_from(const std::string& key, const std::string& name, const std::string& value) {
    const auto origin = inputs_.origins.find(key);
    set(name, value, key + " (" + (origin == inputs_.origins.end() ? "default" : origin->second) + ")");
  }
  // An empty value: nobody asked for anything, so the variable is left alone.
  void set_if_given(const std::string& key, const std::string& name, const std::string& value) {
    if (!value.empty()) {
      set_from(key, name, value);
    }
  }
  std::vector<EnvEntry> take() {
    std::vector<EnvEntry> out;
    for (auto& [name, entry] : entries_) {
      out.push_back(std::move(entry));
    }
    return out;
  }

 private:
  const ChildEnvInputs& inputs_;
  std::map<std::string, EnvEntry> entries_;
};

void pass_own(Builder& out, const Environment& own) {
  for (const std::string& entry : own) {
    const std::string name(name_of(entry));
    if (is_for_server(name)) {
      out.set(name, environment_value(own, name), "environment");
    }
  }
}

void put_settings(Builder& out, const ChildEnvInputs& in) {
  const ServerSettings& server = in.settings.server;
  out.set_if_given("server.models", "OLLAMA_MODELS", server.models);
  out.set_from("server.max_loaded_models", "OLLAMA_MAX_LOADED_MODELS",
               std::to_string(server.max_loaded_models));
  out.set_from("server.num_parallel", "OLLAMA_NUM_PARALLEL", std::to_string(server.num_parallel));
  out.set_from("server.keep_alive", "OLLAMA_KEEP_ALIVE", keep_alive_text(server.keep_alive));
  out.set_if_given("server.kv_cache_type", "OLLAMA_KV_CACHE_TYPE", server.kv_cache_type);
  out.set_if_given("server.flash_attention", "OLLAMA_FLASH_ATTENTION", server.flash_attention ? "1" : "");
  out.set_from("server.prompt_cache", "LLAMA_ARG_CACHE_RAM",
               std::to_string(server.prompt_cache_bytes >> 20U));
  if (in.settings.context.default_num_ctx != 0) {
    out.set_from("context.default_num_ctx", "OLLAMA_CONTEXT_LENGTH", std::to_string(in.num_ctx));
  } else if (in.num_ctx != 0) {
    out.set("OLLAMA_CONTEXT_LENGTH", std::to_string(in.num_ctx), "context policy");
  }
}

// The gateway leaves the check of Origin to the server, so the server must know what is allowed.
void put_origins(Builder& out, const ChildEnvInputs& in) {
  std::string all = environment_value(in.own, "OLLAMA_ORIGINS");
  for (const std::string& origin : in.settings.gateway.origins) {
    all += (all.empty() ? "" : ",") + origin;
  }
  if (!in.settings.gateway.origins.empty()) {
    out.set_from("gateway.origins", "OLLAMA_ORIGINS", all);
  }
}

}  // namespace

std::vector<EnvEntry> child_env(const ChildEnvInputs& in) {
  Builder out(in);
  pass_own(out, in.own);
  put_settings(out, in);
  put_origins(out, in);
  const std::string home = environment_value(in.own, "HOME");
  out.set("HOME", home.empty() ? in.home : home,
          home.empty() ? "llamavisor: HOME is not set" : "environment");
  if (in.automatic_restart) {
    // A start deletes blobs without a manifest: half of a pull that the crash interrupted.
    out.set("OLLAMA_NOPRUNE", "1", "llamavisor: automatic restart");
  }
  for (const auto& [name, value] : in.settings.server.env) {
    out.set_from("server.env." + name, name, value);
  }
  out.set("OLLAMA_HOST", "127.0.0.1:" + std::to_string(in.port), "llamavisor");
  return out.take();
}

std::vector<std::string> allowed_origins(const std::vector<EnvEntry>& entries) {
  const auto it = std::find_if(entries.begin(), entries.end(),
                               [](const EnvEntry& entry) { return entry.name == "OLLAMA_ORIGINS"; });
  std::vector<std::string> out;
  std::istringstream all(it == entries.end() ? std::string() : it->value);
  for (std::string one; std::getline(all, one, ',');) {
    out.push_back(one);
  }
  return out;
}

Environment merged_environment(const Environment& own, const std::vector<EnvEntry>& entries) {
  static constexpr std::array<std::string_view, 6> kOurs{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                                         "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};
  Environment out;
  for (const std::string& entry : own) {
    const std::string_view name = name_of(entry);
    const bool replaced =
        std::any_of(entries.begin(), entries.end(), [&](const EnvEntry& e) { return e.name == name; });
    if (!replaced && std::find(kOurs.begin(), kOurs.end(), name) == kOurs.end()) {
      out.push_back(entry);
    }
  }
  for (const EnvEntry& entry : entries) {
    out.push_back(entry.name + "=" + entry.value);
  }
  return out;
}

std::string shown_value(const EnvEntry& entry) {
  for (const std::string_view ending : {"KEY", "TOKEN", "SECRET", "PASSWORD"}) {
    if (entry.name.ends_with(ending) && !entry.value.empty()) {
      return "(hidden)";
    }
  }
  return entry.value;
}

std::string environment_value(const Environment& environment, std::string_view name) {
  for (const std::string& entry : environment) {
    if (name_of(entry) == name && entry.size() > name.size()) {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

Environment own_environment() {
  Environment out;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    out.emplace_back(*entry);
  }
  return out;
}

}  // namespace llamavisor
