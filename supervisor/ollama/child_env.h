// The environment of `ollama serve`, built from the settings: what `config show --env` shows.
// Thread: any. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace llamavisor {

using Environment = std::vector<std::string>;  // "NAME=value"
using Origins =
    std::map<std::string, std::string>;  // settings key -> "default", "profile laptop", a file ...

struct EnvEntry {
  std::string name;
  std::string value;
  std::string origin;  // "server.keep_alive (default)", "environment", "llamavisor"
};

// What a key in the settings says when nobody but the defaults or a profile set it, and llamavisor's own
// environment holds the variable of that meaning (OLLAMA_NUM_PARALLEL, ...), is that variable's value: the
// forecast must count with what the server will do. Their origins become "environment NAME". Values that
// cannot be read are left to Ollama, and the setting stands. To be applied once after the settings are read.
void adopt_environment(Settings& settings, Origins& origins, const Environment& own);

struct ChildEnvInputs {
  const Settings& settings;  // adopt_environment was applied
  const Origins& origins;
  const Environment& own;     // of this process
  std::uint16_t port = 0;     // where the server listens, on 127.0.0.1
  std::uint32_t num_ctx = 0;  // tokens for requests that name no num_ctx; 0: Ollama decides
  bool automatic_restart = false;
  std::string home;  // when HOME is missing: Ollama wants it set and writable
};

// Everything that llamavisor sets, then every other OLLAMA_* and LLAMA_ARG_* variable of its own environment,
// each once and sorted by name. [server.env] wins over all but OLLAMA_HOST.
std::vector<EnvEntry> child_env(const ChildEnvInputs& inputs);

// What OLLAMA_ORIGINS says in these entries, one by one.
std::vector<std::string> allowed_origins(const std::vector<EnvEntry>& entries);

// The whole environment to exec with: `own`, less what belongs to this process alone (systemd's sockets and
// watchdog), with `entries` on top.
Environment merged_environment(const Environment& own, const std::vector<EnvEntry>& entries);

// The entry's value as it may be shown: keys, tokens and passwords are hidden.
std::string shown_value(const EnvEntry& entry);

// Value of NAME, or "" when it is not there.
std::string environment_value(const Environment& environment, std::string_view name);

// A copy of this process's environment.
Environment own_environment();

}  // namespace llamavisor
