// The built-in policies that serve when a plugin is missing or fails. Pure.
#pragma once

#include <vector>

#include "domain/snapshot.h"
#include "policy/ports.h"

namespace llamavisor {

// Least recently used first: score = idle seconds. Only models that may be evicted are ranked, and of these
// only those not marked in `without` (a mark for each model, or none at all).
std::vector<RankedVictim> rank_lru(const Snapshot& snapshot, const std::vector<bool>& without = {});

// The client's wish, else what Ollama would take; clamped to the training length.
ContextChoice choose_default_context(const ContextQuestion& question);

}  // namespace llamavisor
