// What passes from a running instance to its successor, and new values for one that stays.
// Thread: io thread only; each `done` is called once, there.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "plugin_host/instance.h"

namespace llamavisor {

// Lets `fresh` know what `old` saved, at most kMaxSavedBytes. Nothing saved, an instance that cannot say it
// or one that cannot use it means a fresh start, with a line in the log where something failed.
constexpr std::uint32_t kMaxSavedBytes = 64U << 10U;
void hand_over(const std::shared_ptr<PluginInstance>& old, const std::shared_ptr<PluginInstance>& fresh,
               std::chrono::milliseconds deadline, std::function<void()> done);

// True: it has taken the values over. False: only a new instance can have them. On an error the old ones
// stay.
void reconfigure(const std::shared_ptr<PluginInstance>& instance, PluginConfig config,
                 std::chrono::milliseconds deadline, std::function<void(Result<bool>)> done);

}  // namespace llamavisor
