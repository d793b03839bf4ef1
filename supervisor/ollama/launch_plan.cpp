#include "ollama/launch_plan.h"

#include "ollama/find_binary.h"

namespace llamavisor {

Result<LaunchPlan> plan_launch(const ChildEnvInputs& inputs) {
  const ServerSettings& server = inputs.settings.server;
  const auto program = find_ollama(server.ollama_path, inputs.own);
  if (!program) {
    return program.error();
  }
  LaunchPlan plan;
  plan.executable = *program;
  plan.environment = merged_environment(inputs.own, child_env(inputs));
  plan.ready_timeout = server.ready_timeout;
  plan.stop_timeout = server.stop_timeout;
  plan.restart = {server.restart_min_delay, server.restart_max_delay};
  return plan;
}

}  // namespace llamavisor
