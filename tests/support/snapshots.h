// Snapshots as one expression in a test.
#pragma once

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "domain/snapshot.h"

namespace llamavisor::test {

inline const SteadyTime kNow = SteadyTime{} + std::chrono::hours(100);

inline ModelView idle(const std::string& name, std::uint64_t charge_bytes, int idle_seconds) {
  ModelView out;
  out.name = name;
  out.charge_bytes = out.forecast_bytes = charge_bytes;
  out.last_used = kNow - std::chrono::seconds(idle_seconds);
  out.loaded = out.last_used;
  return out;
}

inline Snapshot snapshot_of(std::uint64_t limit_bytes, std::vector<ModelView> models) {
  Snapshot out;
  out.now = kNow;
  out.limit_bytes = limit_bytes;
  out.models = std::move(models);
  for (const ModelView& model : out.models) {
    out.used_bytes += model.charge_bytes;
  }
  return out;
}

}  // namespace llamavisor::test
