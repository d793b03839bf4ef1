// Starts a child in a session and process group of its own. Boost.Process v2 launches, in spawn.cpp only.
//
// Thread: the io thread, which must be the main thread: the parent-death signal follows the *thread* that
// forked. Blocks until the exec has succeeded or failed (milliseconds).
//
// The child gets: the environment given and nothing else, /dev/null as stdin, two pipes, no other
// descriptor of ours, an empty signal mask, the directory given, and SIGTERM when we die. SIGTERM and not
// SIGKILL, because `ollama serve` ends its runners on SIGTERM, while a killed one orphans them with all
// their memory.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace llamavisor {

struct SpawnRequest {
  std::string executable;  // absolute path
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory = "/";           // Ollama looks for programs under it: it must be trusted
};

struct SpawnedChild {
  pid_t pid = -1;  // also its process group and session
  UniqueFd pidfd;
  UniqueFd out;  // non-blocking read ends
  UniqueFd err;
};

// An error names the step that failed (pipe, fork, working directory, exec) and what to do.
Result<SpawnedChild> spawn_child(const SpawnRequest& request);

}  // namespace llamavisor
