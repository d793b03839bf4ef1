// Asks the policy in charge, guards its answer, and falls back to the built-in one when it fails.
// Thread: io thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/ports.h"
#include "policy/shadow.h"

namespace llamavisor {

class PolicyEngine {
 public:
  // `report` gets one sentence each time a policy failed or was overruled.
  explicit PolicyEngine(std::function<void(const std::string&)> report);
  PolicyEngine(const PolicyEngine&) = delete;
  PolicyEngine& operator=(const PolicyEngine&) = delete;
  ~PolicyEngine() = default;

  // A null policy means the built-in one. The old policy lives on until its calls in progress are done.
  void use(std::shared_ptr<EvictionPolicy> policy);
  void use(std::shared_ptr<ContextPolicy> policy) { context_ = std::move(policy); }
  [[nodiscard]] std::string eviction_id() const { return eviction_ ? eviction_->id() : "built-in lru"; }
  [[nodiscard]] std::string context_id() const { return context_ ? context_->id() : "built-in default"; }

  // A second policy, asked after each rank() and never acting; null: none.
  void use_shadow(std::shared_ptr<EvictionPolicy> policy) { shadow_.use(std::move(policy)); }
  [[nodiscard]] ShadowPolicy& shadow() { return shadow_; }

  // `done` gets models that may be evicted, best victim first, each with its reason, in the owner's order
  // (order.h). When the policy left out models that could free what is missing, the built-in order adds them
  // at the end: the budget holds whatever a plugin thinks. `need_bytes` must come free.
  void rank(const Snapshot& snapshot, std::uint64_t need_bytes,
            std::function<void(std::vector<RankedVictim>)> done);

  // The policy in charge unloads models on its own account: due() is to be asked from time to time.
  [[nodiscard]] bool acts_unasked() const { return eviction_ && eviction_->acts_unasked(); }
  // `done` gets the models that the policy wants to go now, whole units only; none when it failed.
  void due(const Snapshot& snapshot, std::function<void(std::vector<RankedVictim>)> done);

  // Never less than 1 nor more than the model was trained for, whatever a plugin answers.
  void choose_context(const Snapshot& snapshot, const ContextQuestion& question,
                      std::function<void(ContextChoice)> done);

 private:
  std::vector<RankedVictim> in_charge(const Snapshot& snapshot, Result<std::vector<RankedVictim>> answer,
                                      const std::string& id);
  std::vector<RankedVictim> checked_due(const Snapshot& snapshot, Result<std::vector<RankedVictim>> answer,
                                        const std::string& id);
  ContextChoice checked(const ContextQuestion& question, Result<ContextChoice> answer, const std::string& id);

  std::function<void(const std::string&)> report_;
  std::shared_ptr<EvictionPolicy> eviction_;
  std::string due_report_;  // the last one; due() is asked so often that it is said once
  ShadowPolicy shadow_;
  std::shared_ptr<ContextPolicy> context_;
};

}  // namespace llamavisor
