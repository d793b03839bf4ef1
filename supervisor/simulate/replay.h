// Replays a trace against a budget with a manual clock: the ledger, the admission and the policies are the
// daemon's own; loads, answers and unloads are events on the clock instead of calls to a server.
//
// Requests are admitted in the order in which they arrive: one that must wait for busy models to end makes
// those behind it wait too, as long as it has no room. Admitted loads are done one after the other, as Ollama
// does them. The requests of one model are answered side by side. An unload takes no time, and no model
// grows. A request for a model that is larger than the limit is refused. Thread: one, the caller's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "simulate/room.h"
#include "simulate/trace.h"

namespace llamavisor {

struct ReplayRules {
  std::uint64_t limit_bytes = 0;
  std::chrono::milliseconds thrash_window{0};  // [policy] thrash_window
  std::function<void(std::size_t requests_done)> progress{};
};

struct Replayed {
  static constexpr std::size_t kMaxVictims = 1000;
  std::uint64_t requests = 0;  // the refused ones left out
  std::uint64_t warm = 0;      // the model was loaded when the request came
  std::uint64_t refused = 0;
  std::uint64_t loads = 0;
  std::uint64_t evictions = 0;
  std::chrono::milliseconds reload{0};  // sum over the loads
  std::chrono::milliseconds waited{0};  // from arrival to the begin of the answer, sum over the requests
  std::uint64_t peak_bytes = 0;         // most that was held at once
  std::vector<std::string> victims;     // in order; the first kMaxVictims
};

// An error is the policy's.
Result<Replayed> replay(const Trace& trace, const ReplayRules& rules, ManualClock& clock, Room& room);

}  // namespace llamavisor
