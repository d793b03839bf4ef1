// The decision before a load: admit, make room first, wait, or refuse. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "domain/snapshot.h"

namespace llamavisor {

struct AdmissionQuestion {
  std::string model;
  std::uint64_t need_bytes = 0;
  std::uint64_t min_available_bytes = 0;       // of the host, to be left free
  std::string exclusive{};                     // its exclusive group; empty: none
  std::optional<std::uint64_t> limit_bytes{};  // of this model alone
};

struct Admit {};
// Evict these idle models, in this order: enough and no more.
struct EvictFirst {
  std::vector<RankedVictim> victims;
};
// Room comes only when these busy models end their requests: unload each when it is idle, then ask again.
// Empty: models that are on their way out make the room.
struct DrainFirst {
  std::vector<std::size_t> model_indices;
};
// `for_ever`: waiting cannot help (too big for the budget, or pins hold the rest).
struct Refuse {
  std::string sentence;
  bool for_ever = false;
};
using AdmissionDecision = std::variant<Admit, EvictFirst, DrainFirst, Refuse>;

// What must come free for the load; 0: there is room. All bytes are those that the budget counts.
std::uint64_t missing_bytes(const AdmissionQuestion& question, const Snapshot& snapshot);

// `ranked` has passed the guard. The room is the budget's rest, or what the host has left above
// min_available_bytes if that is less; loads that are reserved but not yet held count as held.
AdmissionDecision decide_admission(const AdmissionQuestion& question, const Snapshot& snapshot,
                                   const std::vector<RankedVictim>& ranked);

// The first units, in the policy's order, that free `need_bytes` together, less those that turn out
// superfluous. Fewer bytes than needed when all together do not suffice.
std::vector<RankedVictim> take_enough(const Snapshot& snapshot, const std::vector<RankedVictim>& ranked,
                                      std::uint64_t need_bytes);

}  // namespace llamavisor
