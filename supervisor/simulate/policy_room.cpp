#include <algorithm>

#include "simulate/room.h"

namespace llamavisor {
namespace {

constexpr std::chrono::seconds kDuePeriod{2};  // as the daemon's sampler asks

class PolicyRoom final : public Room {
 public:
  explicit PolicyRoom(std::shared_ptr<EvictionPolicy> policy)
      : engine_([this](const std::string& sentence) { failure_ = sentence; }) {
    engine_.use(std::move(policy));
  }

  Result<AdmissionDecision> decide(const AdmissionQuestion& question, const Snapshot& snapshot) override {
    const std::uint64_t missing = missing_bytes(question, snapshot);
    if (missing == 0) {
      return decide_admission(question, snapshot, {});
    }
    const auto ranked = answer([&](auto done) { engine_.rank(snapshot, missing, std::move(done)); });
    return ranked ? Result<AdmissionDecision>(decide_admission(question, snapshot, *ranked)) : ranked.error();
  }

  bool evicts_enough() const override { return true; }

  std::optional<SteadyTime> next_due(const Ledger& ledger, SteadyTime now) const override {
    const bool worth_it = engine_.acts_unasked() && !ledger.all().empty();
    return worth_it ? std::optional(std::max(now, last_due_ + kDuePeriod)) : std::nullopt;
  }

  Result<std::vector<RankedVictim>> due(const Snapshot& snapshot) override {
    last_due_ = snapshot.now;
    return answer([&](auto done) { engine_.due(snapshot, std::move(done)); });
  }

 private:
  using Ranked = std::vector<RankedVictim>;

  template <class Ask>
  Result<Ranked> answer(const Ask& ask) {
    std::optional<Ranked> out;
    ask([&out](Ranked ranked) { out = std::move(ranked); });
    if (!out) {
      return Error(engine_.eviction_id() + " did not answer within the call");
    }
    return failure_.empty() ? Result<Ranked>(std::move(*out)) : Error(failure_);
  }

  SteadyTime last_due_{};
  std::string failure_;
  PolicyEngine engine_;
};

}  // namespace

std::unique_ptr<Room> make_policy_room(std::shared_ptr<EvictionPolicy> policy) {
  return std::make_unique<PolicyRoom>(std::move(policy));
}

}  // namespace llamavisor
