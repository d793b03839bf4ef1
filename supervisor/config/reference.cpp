#include "config/reference.h"

#include "config/layers.h"
#include "config/schema.h"

namespace llamavisor {

std::string reference_toml() {
  std::string out =
      "# Every key of llamavisor, with its default. Generated from the program's own key table:\n"
      "#   llamavisor config reference > configs/reference.toml\n"
      "# Layers, the weakest first: defaults, profile, /etc/llamavisor/llamavisor.toml,\n"
      "# ~/.config/llamavisor/llamavisor.toml (or --config FILE), overrides, environment, flags.\n"
      "\n"
      "# The profile to start from: laptop, desktop, workstation, server, or auto.\n"
      "# profile = \"auto\"\n";
  std::string section;
  for (const ConfigKey& key : config_keys()) {
    const std::size_t dot = key.name.find('.');
    if (key.name.substr(0, dot) != section) {
      section = key.name.substr(0, dot);
      out += "\n[" + section + "]\n";
    }
    out += "# " + key.help + "\n# Type: " + key.type + ". " +
           (key.live ? "Applies live." : "Waits for a restart.") + "\n# " + key.name.substr(dot + 1) + " = " +
           key.default_value + "\n";
  }
  out += "\n# More variables for the server's environment.\n# [server.env]\n# OLLAMA_DEBUG = \"1\"\n";
  out +=
      "\n# Rules for models by name or glob; an exact name counts before a glob.\n# [models.\"llama3*\"]\n";
  for (const ModelKey& key : model_keys()) {
    out += "# " + key.name + " = ...  # " + key.type + ": " + key.help + "\n";
  }
  out +=
      "\n# Keys of a plugin: see `llamavisor plugin info NAME`. Besides, each one has:\n# [plugins.lru]\n# " +
      std::string(kIsolateKey) + " = false  # true: In a process of its own, without network or files.\n";
  return out;
}

}  // namespace llamavisor
