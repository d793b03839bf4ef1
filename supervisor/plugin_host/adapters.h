// A plugin's role as the port that the rest of the program calls. Thread: io thread only.
#pragma once

#include <chrono>
#include <memory>

#include "plugin_host/instance.h"
#include "policy/ports.h"

namespace llamavisor {

// The instance must play the role. Each call has `deadline`.
std::shared_ptr<EvictionPolicy> as_eviction_policy(std::shared_ptr<PluginInstance> instance,
                                                   std::chrono::milliseconds deadline);
std::shared_ptr<ContextPolicy> as_context_policy(std::shared_ptr<PluginInstance> instance,
                                                 std::chrono::milliseconds deadline);
std::shared_ptr<Notifier> as_notifier(std::shared_ptr<PluginInstance> instance,
                                      std::chrono::milliseconds deadline);

}  // namespace llamavisor
