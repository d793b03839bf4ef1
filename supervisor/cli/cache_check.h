// A quantised KV cache needs flash attention, and Ollama says little when it is missing. Thread: any; pure.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "forecast/forecast.h"
#include "ollama/child_env.h"

namespace llamavisor {

// What would go wrong under that environment of the server, and the mend; absent when nothing would. A server
// of the unknown era counts as any.
std::optional<Error> cache_problem(const std::vector<EnvEntry>& server_env, ServerEra era);

}  // namespace llamavisor
