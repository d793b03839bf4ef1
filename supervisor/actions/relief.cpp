#include "actions/relief.h"

#include "policy/admission.h"
#include "policy/order.h"

namespace llamavisor {

void RelievePressure::check(const Snapshot& snapshot) {
  if (asking_ || !executor_.idle()) {
    return;
  }
  if (const auto breakers = rule_breakers(snapshot); !breakers.empty()) {
    evict(breakers, "", snapshot);  // the next look says whether that was enough
    return;
  }
  const auto relief = pressure_.check(snapshot, rule_);
  if (!relief || snapshot.models.empty()) {
    return;
  }
  asking_ = true;
  engine_.rank(snapshot, relief->bytes, [this, relief = *relief, snapshot](const auto& ranked) {
    asking_ = false;
    evict(take_enough(snapshot, ranked, relief.bytes), "; " + relief.why, snapshot);
  });
}

void RelievePressure::check_due(const Snapshot& snapshot) {
  if (asking_ || !executor_.idle() || !engine_.acts_unasked()) {
    return;
  }
  asking_ = true;
  engine_.due(snapshot, [this, snapshot](const auto& victims) {
    asking_ = false;
    evict(victims, "", snapshot);
  });
}

// Only models that are idle now; a busy one is met again at the next check, after its lease.
void RelievePressure::evict(const std::vector<RankedVictim>& victims, const std::string& why,
                            const Snapshot& snapshot) {
  for (const RankedVictim& victim : victims) {
    const auto residency = ledger_.find(snapshot.models[victim.model_index].name);
    if (residency && residency->in_flight == 0 && residency->state == ResidencyState::ready) {
      executor_.submit({.residency = residency,
                        .kind = EventKind::eviction,
                        .why = victim.reason + why,
                        .drain_timeout = std::chrono::milliseconds(0),
                        .unload_timeout = unload_timeout_,
                        .done = {}});
    }
  }
}

}  // namespace llamavisor
