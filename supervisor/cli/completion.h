// Shell completion. The scripts ask the program itself (`llamavisor __complete`), so they never go stale.
#pragma once

#include <string>

namespace llamavisor {

// The script for bash, zsh or fish; "" for any other shell.
std::string completion_script(const std::string& shell);

// Names that may stand behind a command: models, profiles, plugins, keys. One a line.
std::string completion_values(const std::string& kind);

}  // namespace llamavisor
