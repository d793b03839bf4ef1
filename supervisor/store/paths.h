// Where llamavisor's files are: XDG base directories, or their defaults below the home folder when a variable
// is not set or not absolute. Thread: any.
#pragma once

#include <string>

namespace llamavisor {

std::string system_config_path();  // /etc/llamavisor/llamavisor.toml
std::string user_config_path();    // $XDG_CONFIG_HOME/llamavisor/llamavisor.toml
std::string overrides_path();      // $XDG_STATE_HOME/llamavisor/overrides.toml
std::string history_path();        // $XDG_STATE_HOME/llamavisor/history.db
std::string state_dir();
// $XDG_RUNTIME_DIR/llamavisor; without one /run/llamavisor for root, else /tmp/llamavisor-<uid>.
std::string runtime_dir();
std::string control_socket_path();  // LLAMAVISOR_SOCKET, else control.sock in the runtime folder

// Relative to the program: <prefix>/bin/llamavisor finds <prefix>/lib/llamavisor/plugins and
// <prefix>/share/llamavisor/profiles. A build tree has the same shape.
std::string plugin_dir();
std::string profile_dir();
std::string template_dir();  // <prefix>/share/llamavisor-sdk/template
std::string install_prefix();

}  // namespace llamavisor
