#include "policy/engine.h"

#include <algorithm>

#include "policy/fallback.h"
#include "policy/guard.h"

namespace llamavisor {

void PolicyEngine::rank(const Snapshot& snapshot, std::uint64_t need_bytes,
                        std::function<void(std::vector<RankedVictim>)> done) {
  if (!eviction_) {
    done(rank_lru(snapshot));
    return;
  }
  eviction_->rank(snapshot, need_bytes,
                  [this, snapshot, done = std::move(done), keep = eviction_](auto answer) {
                    done(complete(snapshot, std::move(answer), keep->id()));
                  });
}

std::vector<RankedVictim> PolicyEngine::complete(const Snapshot& snapshot,
                                                 Result<std::vector<RankedVictim>> answer,
                                                 const std::string& id) {
  if (!answer) {
    report_("eviction policy " + id + " failed, the built-in lru decides: " + answer.error().text());
    return rank_lru(snapshot);
  }
  Guarded guarded = guard(snapshot, std::move(*answer));
  for (const std::string& veto : guarded.vetoes) {
    report_("eviction policy " + id + " was overruled: " + veto);
  }
  for (RankedVictim& spare : rank_lru(snapshot)) {
    const bool listed = std::any_of(guarded.victims.begin(), guarded.victims.end(),
                                    [&](const auto& v) { return v.model_index == spare.model_index; });
    if (!listed) {
      spare.reason += " (not ranked by " + id + ")";
      guarded.victims.push_back(std::move(spare));
    }
  }
  return std::move(guarded.victims);
}

void PolicyEngine::choose_context(const Snapshot& snapshot, const ContextQuestion& question,
                                  std::function<void(ContextChoice)> done) {
  if (!context_) {
    done(choose_default_context(question));
    return;
  }
  context_->choose(snapshot, question,
                   [this, question, done = std::move(done), keep = context_](auto answer) {
                     done(checked(question, std::move(answer), keep->id()));
                   });
}

ContextChoice PolicyEngine::checked(const ContextQuestion& question, Result<ContextChoice> answer,
                                    const std::string& id) {
  if (!answer) {
    report_("context policy " + id + " failed, the built-in default decides: " + answer.error().text());
    return choose_default_context(question);
  }
  const auto trained = question.model.shape ? question.model.shape->context_length : std::nullopt;
  if (answer->num_ctx == 0 || (trained && answer->num_ctx > *trained)) {
    report_("context policy " + id + " was overruled: num_ctx " + std::to_string(answer->num_ctx) + " for " +
            question.model.name);
    return choose_default_context(question);
  }
  return std::move(*answer);
}

}  // namespace llamavisor
