// What a policy sees: the resident models and the memory, frozen at one moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace llamavisor {

enum class ResidencyState {
  loading,   // admitted, bytes reserved, not yet answered
  ready,     // answered at least once, or found loaded
  draining,  // gate closed, waiting for leases to end
  unloading  // unload sent, not yet confirmed
};

const char* to_string(ResidencyState state);

struct ModelView {
  std::string name;
  ResidencyState state = ResidencyState::ready;
  std::uint64_t charge_bytes = 0;  // what the budget counts: max(forecast, footprint)
  std::uint64_t forecast_bytes = 0;
  std::optional<std::uint64_t> footprint_bytes;
  std::optional<std::uint64_t> vram_bytes;
  std::optional<std::uint32_t> num_ctx;
  std::uint32_t in_flight = 0;
  std::uint64_t use_count = 0;
  bool pinned = false;
  SteadyTime last_used{};
  SteadyTime loaded{};
  std::optional<std::chrono::nanoseconds> load_duration;
};

struct Snapshot {
  SteadyTime now{};
  std::uint64_t limit_bytes = 0;
  std::uint64_t used_bytes = 0;  // sum of charge_bytes
  std::optional<std::uint64_t> available_bytes;
  std::optional<double> psi_some_avg10;
  std::optional<double> psi_full_avg10;
  std::vector<ModelView> models;
};

// One entry of a policy's answer, best victim first.
struct RankedVictim {
  std::size_t model_index = 0;  // into Snapshot::models
  double score = 0;             // larger: evict sooner
  std::string reason;           // "least recently used: idle for 12 min"
};

}  // namespace llamavisor
