// When a server that died is started again. Pure.
#pragma once

#include <chrono>

namespace llamavisor {

struct RestartRule {
  std::chrono::milliseconds min_delay{500};
  std::chrono::milliseconds max_delay{30'000};
};

// A server that was ready for this long was well: its next failure counts as the first.
constexpr std::chrono::seconds kStableAfter{60};

// The number of failures in a row after one more. `uptime`: time spent ready, 0 when it never was.
unsigned count_failure(unsigned failures_before, std::chrono::milliseconds uptime);

// Doubles from min_delay with each failure in a row (`failures` >= 1), up to max_delay; `jitter` in [0,1)
// spreads it over the upper quarter, so that several supervisors do not start in step.
std::chrono::milliseconds restart_delay(const RestartRule& rule, unsigned failures, double jitter);

}  // namespace llamavisor
