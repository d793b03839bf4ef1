// Which process is a runner, and of which model. Pure.
//   Ollama 0.11.5 to 0.24:  ollama runner [--ollama-engine] --model BLOB --port P
//   Ollama 0.30 and newer:  llama-server --model BLOB --port P ...
// Short-lived helpers (GPU discovery, quantising) carry no --model and are no runners.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace llamavisor {

// "sha256:<hex>" of the blob on the command line; absent when this is no runner.
std::optional<std::string> runner_blob(const std::vector<std::string>& argv);

}  // namespace llamavisor
