// An isolated plugin: the C ABI's table of a plugin whose code runs in a helper process. Instances, adapters,
// swap and self-test use it like any other; each call is a question to the helper.
//
// A helper that crashes, overruns the deadline or answers nonsense is ended, and the call fails: the built-in
// rule decides that time. The next call starts a new one, at the soonest after a delay that doubles with each
// failure in a row up to kMaxRestartDelay. What the plugin had learned is lost with its helper.
//
// Thread: as the C ABI says of a plugin; calls block, and so belong on the thread of an instance.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "plugin_host/helper_messages.h"
#include "plugin_host/library.h"

namespace llamavisor {

struct IsolationPlan {
  std::string path;
  std::string id;
  std::chrono::milliseconds start_deadline{5000};  // loading, create() and what belongs to a swap
  std::chrono::milliseconds policy_deadline{50};
  std::chrono::milliseconds notify_deadline{5000};
};

constexpr std::chrono::milliseconds kMinRestartDelay{100};
constexpr std::chrono::milliseconds kMaxRestartDelay{30'000};

// The plugin with a table that works through a helper; its host must answer get_extension(kIsolationPlan)
// with the plan.
PluginInfo isolated(const DescribedPlugin& plugin, IsolationPlan plan);
constexpr const char* kIsolationPlan = "llamavisor.isolation_plan";

}  // namespace llamavisor
