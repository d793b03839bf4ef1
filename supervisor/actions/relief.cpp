#include "actions/relief.h"

#include "policy/admission.h"
#include "policy/guard.h"
#include "policy/order.h"

namespace llamavisor {

void RelievePressure::check() {
  if (asking_ || executor_.unloading()) {
    return;
  }
  const Snapshot snapshot = snapshot_();
  if (const auto breakers = rule_breakers(snapshot); !breakers.empty()) {
    evict(breakers, "", snapshot);  // the next look says whether that was enough
    return;
  }
  const auto relief = pressure_.check(snapshot, rule_);
  if (!relief || snapshot.models.empty()) {
    return;
  }
  asking_ = true;
  engine_.rank(snapshot, relief->bytes, [this, snapshot](const auto& ranked) {
    asking_ = false;
    evict_enough(snapshot, ranked);
  });
}

// The ranking was made a moment ago, off this thread: what is too much now counts, and who is there now.
void RelievePressure::evict_enough(const Snapshot& then, const std::vector<RankedVictim>& ranked) {
  const Snapshot now = snapshot_();
  const auto relief = executor_.unloading() ? std::nullopt : pressure_.check(now, rule_);
  if (relief) {
    evict(take_enough(now, still_evictable(then, ranked, now), relief->bytes), "; " + relief->why, now);
  }
}

void RelievePressure::check_due() {
  if (asking_ || executor_.unloading() || !engine_.acts_unasked()) {
    return;
  }
  asking_ = true;
  engine_.due(snapshot_(), [this, snapshot = snapshot_()](const auto& victims) {
    asking_ = false;
    evict(victims, "", snapshot);
  });
}

// Only models that are idle now; a busy one is met again at the next check, after its lease.
void RelievePressure::evict(const std::vector<RankedVictim>& victims, const std::string& why,
                            const Snapshot& snapshot) {
  for (const RankedVictim& victim : victims) {
    const auto residency = ledger_.find_key(snapshot.models[victim.model_index].key);
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
