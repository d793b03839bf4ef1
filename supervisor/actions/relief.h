// After each sample, and after the limit changed: evicts what is too much. Flow 2's second half.
// Thread: io thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "actions/executor.h"
#include "policy/engine.h"
#include "policy/pressure.h"

namespace llamavisor {

class RelievePressure {
 public:
  // `snapshot` is asked again after the policy has answered: what it saw may have gone meanwhile.
  RelievePressure(Ledger& ledger, PolicyEngine& engine, Executor& executor,
                  std::function<Snapshot()> snapshot)
      : ledger_(ledger), engine_(engine), executor_(executor), snapshot_(std::move(snapshot)) {}

  void configure(PressureRule rule, std::chrono::milliseconds unload_timeout) {
    rule_ = rule;
    unload_timeout_ = unload_timeout;
  }
  // Models that break the owner's rules go, then what is too much. Does nothing while an earlier relief, or
  // any unload, is under way.
  void check();
  // Asks the policy what it wants to unload on its own account, and does it; under the same condition.
  void check_due();

 private:
  void evict_enough(const Snapshot& then, const std::vector<RankedVictim>& ranked);
  void evict(const std::vector<RankedVictim>& victims, const std::string& why, const Snapshot& snapshot);

  Ledger& ledger_;
  PolicyEngine& engine_;
  Executor& executor_;
  std::function<Snapshot()> snapshot_;
  Pressure pressure_;
  PressureRule rule_;
  std::chrono::milliseconds unload_timeout_{10'000};
  bool asking_ = false;
};

}  // namespace llamavisor
