// After each sample: how many bytes are too many, and why. Pure but for the hysteresis it remembers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "domain/snapshot.h"

namespace llamavisor {

struct PressureRule {
  std::uint64_t min_available_bytes = 0;
  double psi_full_percent = 0;
};

struct Relief {
  std::uint64_t bytes = 0;
  std::string why;  // "the models hold 1.2 GB, 200 MB over the budget of 1 GB"
};

// States: calm -> pressed when MemAvailable falls below the minimum; pressed -> calm only when it is a
// quarter above it again, so that a host that hovers at the line is not asked for one model a sample.
// Over the budget, and PSI above its mark, speak at each sample.
class Pressure {
 public:
  std::optional<Relief> check(const Snapshot& snapshot, const PressureRule& rule);

 private:
  std::optional<Relief> check_host(const Snapshot& snapshot, const PressureRule& rule);
  bool pressed_ = false;
};

}  // namespace llamavisor
