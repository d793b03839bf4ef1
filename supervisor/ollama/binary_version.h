// The version of an `ollama` program, asked of the program itself: no server need run.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "ollama/child_env.h"

namespace llamavisor {

// What `path --version` says. Thread: main (spawn.h); blocks up to the time-out, after which the program is
// ended. Errors: it cannot be run, does not end in time, or names no version.
Result<std::string> binary_version(const std::string& path, const Environment& own,
                                   std::chrono::milliseconds timeout);

// The version in such an output: that of the client, when a server's is named as well. Pure.
std::optional<std::string> version_in(const std::string& output);

// Below 0.12, the oldest that llamavisor is made for. A build without a version says 0.0.0: not too old.
// Pure.
bool is_too_old(const std::string& version);

}  // namespace llamavisor
