// A yardstick, no policy that anybody could use: it knows the requests to come.
// Thread: the replay's.
#pragma once

#include <memory>

#include "base/clock.h"
#include "policy/ports.h"
#include "simulate/trace.h"

namespace llamavisor {

// The model goes first whose keeping earns least: its reload time, spread over the bytes that it holds and
// the time until its next request. Belady's rule (IBM Systems Journal 5(2), 1966) weighted by cost and size.
// Greedy, so that a schedule may be better; how near it comes to the bound says what knowing the future is
// worth. `start` stands for 1970.
std::shared_ptr<EvictionPolicy> make_foresight(const Trace& trace, SteadyTime start);

}  // namespace llamavisor
