#include "cli/completion.h"

#include <boost/json/array.hpp>

#include "app/loaded_config.h"
#include "cli/control_client.h"
#include "cli/status_screen.h"
#include "config/schema.h"
#include "plugin_host/plugin_host.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

constexpr const char* kBash = R"sh(# bash completion of llamavisor
_llamavisor() {
  local IFS=$'\n'
  mapfile -t COMPREPLY < <(compgen -W "$(llamavisor __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}")
  [ "${COMPREPLY[*]}" ] || mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -F _llamavisor llamavisor
)sh";
constexpr const char* kZsh = R"sh(#compdef llamavisor
_llamavisor() {
  local -a found
  found=("${(@f)$(llamavisor __complete "${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
  compadd -- $found || _files
}
_llamavisor "$@"
)sh";
constexpr const char* kFish = R"sh(# fish completion of llamavisor
complete -c llamavisor -f -a '(llamavisor __complete (commandline -opc)[2..-1] 2>/dev/null)'
complete -c llamavisor -l config -l ollama -r -F
)sh";

std::string model_names() {
  const ControlReply reply = control_get("/v1/models");
  std::string out;
  if (reply.ok()) {
    for (const auto& entry : reply.body.at("models").as_array()) {
      out += text_of(entry.as_object(), "name") + "\n";
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const std::string& shell) {
  return shell == "bash" ? kBash : shell == "zsh" ? kZsh : shell == "fish" ? kFish : "";
}

std::string completion_values(const std::string& kind) {
  std::string out;
  if (kind == "model") {
    return model_names();
  }
  if (kind == "profile") {
    for (const ProfileInfo& profile : list_profiles()) {
      out += profile.name + "\n";
    }
    return out + "auto\n";
  }
  if (kind == "key") {
    for (const std::string& name : config_key_names()) {
      out += name + "\n";
    }
  }
  if (kind == "role") {
    return "eviction\ncontext\nnotify\n";
  }
  if (kind == "plugin") {
    for (const ListedPlugin& file : list_plugins({plugin_dir()})) {
      for (const PluginInfo& plugin : file.plugins) {
        out += plugin.id + "\n";
      }
    }
  }
  return out;
}

}  // namespace llamavisor
