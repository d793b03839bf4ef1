#include "policy/fallback.h"

#include <algorithm>

#include "base/units.h"
#include "policy/guard.h"

namespace llamavisor {

std::vector<RankedVictim> rank_lru(const Snapshot& snapshot, const std::vector<bool>& without) {
  std::vector<RankedVictim> out;
  for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
    const ModelView& model = snapshot.models[i];
    if (!is_evictable(model) || (!without.empty() && without[i])) {
      continue;
    }
    const auto idle = snapshot.now - model.last_used;
    out.push_back({i, std::chrono::duration<double>(idle).count(),
                   "least recently used: idle for " +
                       format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(idle))});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const RankedVictim& a, const RankedVictim& b) { return a.score > b.score; });
  return out;
}

ContextChoice choose_default_context(const ContextQuestion& question) {
  ContextChoice out{question.wish.value_or(question.default_num_ctx),
                    question.wish ? "the client asked for it" : "the default"};
  const auto trained = question.model.shape ? question.model.shape->context_length : std::nullopt;
  if (trained && out.num_ctx > *trained) {
    out = {*trained, "the model was trained for no more"};
  }
  return out;
}

}  // namespace llamavisor
