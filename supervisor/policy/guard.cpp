#include "policy/guard.h"

#include <algorithm>
#include <cmath>

namespace llamavisor {
namespace {

// Why this entry may not be carried out; empty: it may.
std::string veto(const Snapshot& snapshot, const RankedVictim& victim, const std::vector<bool>& seen) {
  if (victim.model_index >= snapshot.models.size()) {
    return "index " + std::to_string(victim.model_index) + " of " + std::to_string(snapshot.models.size()) +
           " models";
  }
  const ModelView& model = snapshot.models[victim.model_index];
  if (!std::isfinite(victim.score)) {
    return model.name + " with a score that is not a number";
  }
  if (seen[victim.model_index]) {
    return model.name + " twice";
  }
  if (model.pinned) {
    return model.name + ", which is pinned";
  }
  if (model.in_flight > 0) {
    return model.name + ", which is busy";
  }
  return is_evictable(model) ? "" : model.name + ", which is " + to_string(model.state);
}

}  // namespace

bool is_evictable(const ModelView& model) {
  return model.state == ResidencyState::ready && model.in_flight == 0 && !model.pinned;
}

std::vector<RankedVictim> still_evictable(const Snapshot& then, std::vector<RankedVictim> ranked,
                                          const Snapshot& now) {
  for (RankedVictim& victim : ranked) {
    const std::string& key = then.models[victim.model_index].key;
    const auto it = std::find_if(now.models.begin(), now.models.end(),
                                 [&](const ModelView& model) { return model.key == key; });
    victim.model_index = static_cast<std::size_t>(it - now.models.begin());
  }
  std::erase_if(ranked, [&](const RankedVictim& victim) {
    return victim.model_index >= now.models.size() || !is_evictable(now.models[victim.model_index]);
  });
  return ranked;
}

Guarded guard(const Snapshot& snapshot, std::vector<RankedVictim> ranked) {
  Guarded out;
  std::vector<bool> seen(snapshot.models.size());
  for (RankedVictim& victim : ranked) {
    const std::string why = veto(snapshot, victim, seen);
    if (!why.empty()) {
      out.vetoes.push_back("the policy ranked " + why);
      continue;
    }
    seen[victim.model_index] = true;
    out.victims.push_back(std::move(victim));
  }
  return out;
}

}  // namespace llamavisor
