#include "policy/engine.h"

#include <algorithm>

#include "policy/fallback.h"
#include "policy/guard.h"
#include "policy/order.h"

namespace llamavisor {

namespace {

// What the policy left out, in the built-in order, at the end; then the owner's order over all of it.
std::vector<RankedVictim> complete(const Snapshot& snapshot, std::vector<RankedVictim> guarded,
                                   const std::string& id) {
  std::vector<bool> listed(snapshot.models.size());
  for (const RankedVictim& victim : guarded) {
    listed[victim.model_index] = true;
  }
  for (RankedVictim& spare : rank_lru(snapshot, listed)) {
    spare.reason += " (not ranked by " + id + ")";
    guarded.push_back(std::move(spare));
  }
  return order_victims(snapshot, std::move(guarded));
}

}  // namespace

PolicyEngine::PolicyEngine(std::function<void(const std::string&)> report)
    : report_(std::move(report)),
      shadow_([](const Snapshot& snapshot, std::vector<RankedVictim> answer, const std::string& id) {
        return complete(snapshot, guard(snapshot, std::move(answer)).victims, id);
      }) {}

// A comparison is of two policies: with another one in charge it starts anew.
void PolicyEngine::use(std::shared_ptr<EvictionPolicy> policy) {
  eviction_ = std::move(policy);
  due_report_.clear();
  shadow_.restart();
}

void PolicyEngine::rank(const Snapshot& snapshot, std::uint64_t need_bytes,
                        std::function<void(std::vector<RankedVictim>)> done) {
  if (!eviction_) {
    const auto ranked = order_victims(snapshot, rank_lru(snapshot));
    done(ranked);
    shadow_.compare(snapshot, need_bytes, ranked);
    return;
  }
  const auto kept = std::make_shared<const Snapshot>(snapshot);
  eviction_->rank(*kept, need_bytes,
                  [this, kept, need_bytes, done = std::move(done), keep = eviction_](auto answer) {
                    const auto ranked = in_charge(*kept, std::move(answer), keep->id());
                    done(ranked);
                    shadow_.compare(*kept, need_bytes, ranked);
                  });
}

std::vector<RankedVictim> PolicyEngine::in_charge(const Snapshot& snapshot,
                                                  Result<std::vector<RankedVictim>> answer,
                                                  const std::string& id) {
  if (!answer) {
    report_("eviction policy " + id + " failed, the built-in lru decides: " + answer.error().text());
    return order_victims(snapshot, rank_lru(snapshot));
  }
  Guarded guarded = guard(snapshot, std::move(*answer));
  for (const std::string& veto : guarded.vetoes) {
    report_("eviction policy " + id + " was overruled: " + veto);
  }
  return complete(snapshot, std::move(guarded.victims), id);
}

void PolicyEngine::due(const Snapshot& snapshot, std::function<void(std::vector<RankedVictim>)> done) {
  if (!acts_unasked()) {
    done({});
    return;
  }
  eviction_->due(snapshot, [this, snapshot, done = std::move(done), keep = eviction_](auto answer) {
    done(checked_due(snapshot, std::move(answer), keep->id()));
  });
}

std::vector<RankedVictim> PolicyEngine::checked_due(const Snapshot& snapshot,
                                                    Result<std::vector<RankedVictim>> answer,
                                                    const std::string& id) {
  std::vector<RankedVictim> out;
  std::string report;
  if (!answer) {
    report = "eviction policy " + id + " did not say what is due: " + answer.error().text();
  } else {
    Guarded guarded = guard(snapshot, std::move(*answer));
    for (const std::string& veto : guarded.vetoes) {
      report += (report.empty() ? "eviction policy " + id + " was overruled: " : ", ") + veto;
    }
    for (Unit& unit : units_of(snapshot, guarded.victims)) {
      std::move(unit.victims.begin(), unit.victims.end(), std::back_inserter(out));
    }
  }
  if (!report.empty() && report != due_report_) {
    report_(report);
  }
  due_report_ = report;
  return out;
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
