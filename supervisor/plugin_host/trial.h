// Tries a plugin before it is put in charge: the role's own call on a made-up machine with one idle model.
// Thread: io thread only; `done` comes there, within the deadline that the policy has.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/settings.h"
#include "plugin_host/library.h"
#include "policy/ports.h"

namespace llamavisor {

void try_policy(const std::shared_ptr<EvictionPolicy>& policy, const Clock& clock,
                std::function<void(Result<void>)> done);
void try_policy(const std::shared_ptr<ContextPolicy>& policy, const Clock& clock,
                std::function<void(Result<void>)> done);

struct CheckedPlugin {
  PluginInfo info;
  std::string untried;  // why no instance of it was made: its configuration is not complete
};

// Opens one file by all the rules, makes an instance of each plugin in it and tries its roles (a notifier is
// made, but told nothing). The values are those of `settings`. Blocking; one call at a time.
Result<std::vector<CheckedPlugin>> check_plugin_file(const std::string& path, const Settings& settings);

}  // namespace llamavisor
