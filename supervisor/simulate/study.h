// Policies side by side on one trace: each policy under each limit, and the offline bound of each limit.
// Thread: one, the caller's; blocking.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "config/settings.h"
#include "simulate/replay.h"

namespace llamavisor {

// Not plugins but Ollama's scheduler (room.h):
//   ollama        as it is out of the box: keep_alive 5m, at most 3 models, memory checked
//   ollama-order  its order alone: nothing expires, any number of models
//   ollama-cpu    0.30 and newer without a GPU: as ollama, but the memory is not checked
constexpr std::array<const char*, 3> kOllamaPolicies{"ollama", "ollama-order", "ollama-cpu"};
// Knows the requests to come (foresight.h); no anti-thrash overrules it.
constexpr const char* kForesight = "foresight";

struct Study {
  std::vector<std::string> policies;
  std::vector<std::uint64_t> limits_bytes;
  std::vector<std::string> plugin_dirs;
  Settings settings;                           // [plugins.<id>] and [policy]
  std::function<void(double share)> progress;  // 0 to 1; may be empty
};

struct StudyRow {
  std::string policy;
  std::uint64_t limit_bytes = 0;
  Replayed result;
};
struct StudyBound {
  std::uint64_t limit_bytes = 0;
  std::chrono::milliseconds reload{0};
};
struct StudyResult {
  std::vector<StudyRow> rows;      // by limit, then in the order of Study::policies
  std::vector<StudyBound> bounds;  // by limit
};

// Errors: a policy that is not there, cannot be simulated (ask: it asks people) or fails.
Result<StudyResult> run_study(const Trace& trace, const Study& study);

}  // namespace llamavisor
