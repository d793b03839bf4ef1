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
  std::string key;  // of its residency: two can share a name when a pull has replaced the blob
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

  // The owner's rules ([models."glob"]), which hold under every policy.
  std::int32_t priority = 0;                 // the lower goes first
  std::string together;                      // models that share it go together or not at all; empty: alone
  std::string exclusive;                     // at most one model that shares it is resident; empty: none
  std::optional<std::uint64_t> limit_bytes;  // of this model alone

  // Kept over its residencies, since llamavisor was started.
  std::uint64_t total_uses = 0;
  std::optional<std::chrono::nanoseconds> reload;          // mean of its measured loads, the last ones most
  std::uint32_t quick_returns = 0;                         // loads soon after an eviction, not long ago
  std::optional<std::chrono::nanoseconds> returned_after;  // from eviction to load, the last such time
};

struct Snapshot {
  SteadyTime now{};
  std::uint64_t limit_bytes = 0;
  std::uint64_t used_bytes = 0;  // sum of charge_bytes
  std::optional<std::uint64_t> available_bytes;
  std::optional<double> psi_some_avg10;
  std::optional<double> psi_full_avg10;
  std::optional<std::uint32_t> minute_of_day;  // local wall time, minutes since midnight
  std::vector<ModelView> models;
};

// One entry of a policy's answer, best victim first.
struct RankedVictim {
  std::size_t model_index = 0;  // into Snapshot::models
  double score = 0;             // larger: evict sooner
  std::string reason;           // "least recently used: idle for 12 min"
};

}  // namespace llamavisor
