// Which processes are runners, and of which model. Pure.
//   Ollama 0.5.2 to 0.24:   ollama runner [--ollama-engine] --model BLOB [...] --port P
//   Ollama 0.30 and newer:  llama-server --model BLOB --port P ...
// BLOB is <models>/blobs/sha256-<hex>. Short-lived helpers (GPU discovery, quantising) carry no --model and
// are no runners; so is an engine that is given no GGUF blob. The program's own name does not matter: it
// has changed before.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "memory/proc_reader.h"

namespace llamavisor {

// "sha256:<hex>" of the blob on the command line; absent when this is no runner.
std::optional<std::string> runner_blob(const std::vector<std::string>& argv);

struct RunnerProcess {
  int pid = 0;
  std::uint64_t start_ticks = 0;
  std::string blob_digest;
};

// Those of a server's descendants that are runners. What a runner has forked is not another one.
std::vector<RunnerProcess> runners_among(const std::vector<ProcessInfo>& descendants);

}  // namespace llamavisor
