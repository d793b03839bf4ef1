#include "policy/shadow.h"

#include "policy/admission.h"

namespace llamavisor {
namespace {

std::set<std::size_t> indices(const std::vector<RankedVictim>& victims) {
  std::set<std::size_t> out;
  for (const RankedVictim& victim : victims) {
    out.insert(victim.model_index);
  }
  return out;
}

}  // namespace

void ShadowPolicy::Side::evict(const Snapshot& snapshot, const std::vector<RankedVictim>& victims) {
  for (const RankedVictim& victim : victims) {
    const ModelView& model = snapshot.models[victim.model_index];
    if (gone.insert(model.name).second) {
      ++bill.evictions;
      bill.evicted_bytes += model.charge_bytes;
    }
  }
}

void ShadowPolicy::Side::note_use(const std::string& model, std::optional<std::chrono::nanoseconds> reload) {
  if (gone.erase(model) > 0) {
    ++bill.reloads;
    bill.unmeasured_reloads += reload ? 0U : 1U;
    bill.reload_time += reload.value_or(std::chrono::nanoseconds(0));
  }
}

void ShadowPolicy::use(std::shared_ptr<EvictionPolicy> policy) {
  policy_ = std::move(policy);
  busy_ = false;
  ++generation_;
  restart();
}

void ShadowPolicy::restart() {
  counts_ = {};
  in_charge_.gone.clear();
  shadow_.gone.clear();
}

void ShadowPolicy::compare(const Snapshot& snapshot, std::uint64_t need_bytes,
                           const std::vector<RankedVictim>& ranked) {
  const auto taken = take_enough(snapshot, ranked, need_bytes);
  if (!policy_ || taken.empty()) {
    return;
  }
  ++counts_.questions;
  if (busy_) {
    ++counts_.skipped;
    return;
  }
  busy_ = true;
  policy_->rank(snapshot, need_bytes, [this, snapshot, need_bytes, taken, asked = generation_](auto answer) {
    if (asked == generation_) {
      busy_ = false;
      answered(snapshot, need_bytes, taken, std::move(answer));
    }
  });
}

void ShadowPolicy::answered(const Snapshot& snapshot, std::uint64_t need_bytes,
                            const std::vector<RankedVictim>& taken,
                            Result<std::vector<RankedVictim>> answer) {
  if (!answer) {
    ++counts_.failed;
    counts_.last_error = answer.error().text();
    return;
  }
  const auto own = take_enough(snapshot, finish_(snapshot, std::move(*answer), id()), need_bytes);
  ++counts_.compared;
  counts_.differed += indices(own) == indices(taken) ? 0U : 1U;
  in_charge_.evict(snapshot, taken);
  shadow_.evict(snapshot, own);
}

void ShadowPolicy::note_use(const std::string& model, std::optional<std::chrono::nanoseconds> reload) {
  in_charge_.note_use(model, reload);
  shadow_.note_use(model, reload);
}

}  // namespace llamavisor
