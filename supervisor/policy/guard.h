// What no policy may do. Every ranking passes here before the executor sees it. Pure.
#pragma once

#include <string>
#include <vector>

#include "domain/snapshot.h"

namespace llamavisor {

// Can this model be unloaded now without hurting anyone: idle, ready, not pinned.
bool is_evictable(const ModelView& model);

// A ranking made on `then`, for the models as they are `now`: those that went, or may not go any more, are
// left out.
std::vector<RankedVictim> still_evictable(const Snapshot& then, std::vector<RankedVictim> ranked,
                                          const Snapshot& now);

struct Guarded {
  std::vector<RankedVictim> victims;  // what is left, in the policy's order
  std::vector<std::string> vetoes;    // one sentence for each entry that was refused
};

// Drops indices out of range, duplicates, scores that are not finite, and models that are busy, pinned or
// already on their way out.
Guarded guard(const Snapshot& snapshot, std::vector<RankedVictim> ranked);

}  // namespace llamavisor
