#include "ollama/restart_policy.h"

#include <algorithm>

namespace llamavisor {

unsigned count_failure(unsigned failures_before, std::chrono::milliseconds uptime) {
  return uptime >= kStableAfter ? 1 : failures_before + 1;
}

std::chrono::milliseconds restart_delay(const RestartRule& rule, unsigned failures, double jitter) {
  auto full = rule.min_delay;
  for (unsigned i = 1; i < failures && full < rule.max_delay; ++i) {
    full *= 2;
  }
  full = std::min(full, rule.max_delay);
  const double share = 0.75 + 0.25 * std::clamp(jitter, 0.0, 1.0);
  return std::chrono::round<std::chrono::milliseconds>(full * share);
}

}  // namespace llamavisor
