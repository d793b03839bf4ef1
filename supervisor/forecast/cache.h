// The cells of a load's caches and the tokens that are computed at once. Pure.
#pragma once

#include "forecast/layers.h"

namespace llamavisor {

struct Cache {
  double slots = 1;
  double slot_tokens = 0;     // of the whole context, rounded up
  double sliding_tokens = 0;  // of the window, a slot
  double batch_tokens = 512;  // computed at once
  double kv_bytes = 0;
  double state_bytes = 0;
  double checkpoint_bytes = 0;  // one copy of what a window and a state hold
  double cells = 0;             // in all slots
};

Cache cache_of(const ModelShape& shape, const LayerPlan& plan, std::uint32_t num_ctx,
               const ForecastSettings& settings);
// Of compute buffers. Absent: the header lacks the sizes.
std::optional<double> compute_bytes(const ModelShape& shape, const Cache& cache, ServerEra era);

}  // namespace llamavisor
