// What to run, and with which bounds: made anew for each start, so that a changed setting or a replaced
// program counts from the next one.
// Thread: any; a few stat calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ollama/child_env.h"
#include "ollama/restart_policy.h"

namespace llamavisor {

struct LaunchPlan {
  std::string executable;
  std::vector<std::string> arguments{"serve"};
  Environment environment;  // the whole of it
  std::chrono::milliseconds ready_timeout{60'000};
  std::chrono::milliseconds stop_timeout{10'000};
  RestartRule restart;
};

// `ollama serve` as the settings want it.
Result<LaunchPlan> plan_launch(const ChildEnvInputs& inputs);

using LaunchPlanner = std::function<Result<LaunchPlan>(std::uint16_t port, bool automatic_restart)>;

}  // namespace llamavisor
