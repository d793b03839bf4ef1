#include "actions/relief.h"

#include "policy/admission.h"

namespace llamavisor {

void RelievePressure::check(const Snapshot& snapshot) {
  if (asking_ || !executor_.idle()) {
    return;
  }
  const auto relief = pressure_.check(snapshot, rule_);
  if (!relief || snapshot.models.empty()) {
    return;
  }
  asking_ = true;
  engine_.rank(snapshot, relief->bytes, [this, relief = *relief, snapshot](const auto& ranked) {
    asking_ = false;
    evict(ranked, relief, snapshot);
  });
}

// Only models that are idle now; a busy one is met again at the next check, after its lease.
void RelievePressure::evict(const std::vector<RankedVictim>& ranked, const Relief& relief,
                            const Snapshot& snapshot) {
  for (const RankedVictim& victim : take_enough(snapshot, ranked, relief.bytes)) {
    const auto residency = ledger_.find(snapshot.models[victim.model_index].name);
    if (residency && residency->in_flight == 0 && residency->state == ResidencyState::ready) {
      executor_.submit({.residency = residency,
                        .kind = EventKind::eviction,
                        .why = victim.reason + "; " + relief.why,
                        .drain_timeout = std::chrono::milliseconds(0),
                        .unload_timeout = unload_timeout_,
                        .done = {}});
    }
  }
}

}  // namespace llamavisor
