// Asks the policy in charge, guards its answer, and falls back to the built-in one when it fails.
// Thread: io thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/ports.h"

namespace llamavisor {

class PolicyEngine {
 public:
  // `report` gets one sentence each time a policy failed or was overruled.
  explicit PolicyEngine(std::function<void(const std::string&)> report) : report_(std::move(report)) {}

  // A null policy means the built-in one. The old policy lives on until its calls in progress are done.
  void use(std::shared_ptr<EvictionPolicy> policy) { eviction_ = std::move(policy); }
  void use(std::shared_ptr<ContextPolicy> policy) { context_ = std::move(policy); }
  [[nodiscard]] std::string eviction_id() const { return eviction_ ? eviction_->id() : "built-in lru"; }
  [[nodiscard]] std::string context_id() const { return context_ ? context_->id() : "built-in default"; }

  // `done` gets models that may be evicted, best victim first, each with its reason. When the policy left
  // out models that could free what is missing, the built-in order adds them at the end: the budget holds
  // whatever a plugin thinks.
  void rank(const Snapshot& snapshot, std::uint64_t need_bytes,
            std::function<void(std::vector<RankedVictim>)> done);

  // Never less than 1 nor more than the model was trained for, whatever a plugin answers.
  void choose_context(const Snapshot& snapshot, const ContextQuestion& question,
                      std::function<void(ContextChoice)> done);

 private:
  std::vector<RankedVictim> complete(const Snapshot& snapshot, Result<std::vector<RankedVictim>> answer,
                                     const std::string& id);
  ContextChoice checked(const ContextQuestion& question, Result<ContextChoice> answer, const std::string& id);

  std::function<void(const std::string&)> report_;
  std::shared_ptr<EvictionPolicy> eviction_;
  std::shared_ptr<ContextPolicy> context_;
};

}  // namespace llamavisor
