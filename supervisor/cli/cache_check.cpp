#include "cli/cache_check.h"

namespace llamavisor {
namespace {

std::string value_in(const std::vector<EnvEntry>& env, const std::string& name) {
  for (const EnvEntry& entry : env) {
    if (entry.name == name) {
      return entry.value;
    }
  }
  return {};
}

// Go's strconv.ParseBool, as Ollama reads it.
bool says_no(const std::string& value) {
  return value == "0" || value == "f" || value == "F" || value == "false" || value == "FALSE" ||
         value == "False";
}

}  // namespace

// Seen on 0.32.5 (each load fails with a 500) and on 0.24.0 (the cache stays f16 without a word).
std::optional<Error> cache_problem(const std::vector<EnvEntry>& server_env, ServerEra era) {
  const std::string type = value_in(server_env, "OLLAMA_KV_CACHE_TYPE");
  const std::string flash = value_in(server_env, "OLLAMA_FLASH_ATTENTION");
  const std::string mend = "set server.flash_attention = true, or take server.kv_cache_type out";
  if (!type.starts_with("q") || (!flash.empty() && !says_no(flash))) {
    return std::nullopt;
  }
  if (!flash.empty() && era != ServerEra::b) {
    return Error("with OLLAMA_KV_CACHE_TYPE=" + type + " and OLLAMA_FLASH_ATTENTION=" + flash +
                     " Ollama from 0.30 on cannot load any model",
                 mend);
  }
  if (era != ServerEra::c) {
    return Error("OLLAMA_KV_CACHE_TYPE=" + type +
                     " does nothing before Ollama 0.30 unless OLLAMA_FLASH_ATTENTION is 1",
                 mend);
  }
  return std::nullopt;
}

}  // namespace llamavisor
