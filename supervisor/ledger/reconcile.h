// Joins what was observed (runner processes, /api/ps) with what the gateway saw.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domain/memory_sample.h"
#include "ledger/ledger.h"

namespace llamavisor {

// One entry of /api/ps, its blob looked up in the manifests.
struct ObservedModel {
  std::string name;         // canonical
  std::string blob_digest;  // empty: no manifest of that name
  std::optional<std::uint64_t> size_bytes;
  std::optional<std::uint64_t> vram_bytes;
  std::optional<std::uint32_t> num_ctx;
  std::optional<WallTime> expires_at;
};

// One look, made on a worker.
struct Observation {
  MemorySample sample;
  std::optional<std::vector<ObservedModel>> loaded;  // absent: the server did not answer /api/ps
  std::map<std::string, std::string> name_of_blob;   // for runners: digest -> an installed name
};

// Updates footprints, pids and expiry; removes residencies that ended on their own (keep_alive ran out, or
// the load failed) and adds those that were loaded behind our back. Without /api/ps the processes decide;
// without either the ledger stands. A load whose clients left before its first answer is ready once it is
// seen. Only residencies whose state is older than the look are touched: `looked_at` is when it began.
// Returns the names of those that are no longer resident.
std::vector<std::string> reconcile(Ledger& ledger, const Observation& seen, SteadyTime looked_at);

}  // namespace llamavisor
