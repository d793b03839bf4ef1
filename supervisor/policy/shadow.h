// A second eviction policy that answers beside the one in charge and never acts, and what each would cost.
//
// Both get the same snapshot and the same need; their victims are compared after the owner's rules were
// applied to both. The price of a choice is paid when a victim is wanted again: then its measured reload time
// is added to the policy that had evicted it. A model that only the shadow evicted is resident in truth; it
// counts as gone for the shadow until its next use. Memory that the shadow would have had free afterwards is
// not played on: that is what `simulate` is for.
//
// Thread: io thread only. One question at a time is with the shadow; those that come meanwhile are skipped.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/ports.h"

namespace llamavisor {

struct PolicyBill {
  std::uint64_t evictions = 0;
  std::uint64_t evicted_bytes = 0;
  std::uint64_t reloads = 0;             // victims that were wanted again
  std::uint64_t unmeasured_reloads = 0;  // of these: how long they take was not known
  std::chrono::nanoseconds reload_time{0};
};

struct Comparison {
  std::uint64_t questions = 0;  // memory had to come free while there was a shadow
  std::uint64_t compared = 0;
  std::uint64_t differed = 0;  // not the same set of victims
  std::uint64_t skipped = 0;   // the shadow was busy with an earlier one
  std::uint64_t failed = 0;
  std::string last_error;
  PolicyBill in_charge;
  PolicyBill shadow;
};

class ShadowPolicy {
 public:
  // What the engine makes of a raw answer: guarded, completed, in the owner's order.
  using Finish = std::function<std::vector<RankedVictim>(const Snapshot&, std::vector<RankedVictim>,
                                                         const std::string&)>;
  explicit ShadowPolicy(Finish finish) : finish_(std::move(finish)) {}

  // Null: off. The counts start anew.
  void use(std::shared_ptr<EvictionPolicy> policy);
  void restart();  // the counts
  [[nodiscard]] std::string id() const { return policy_ ? policy_->id() : ""; }
  [[nodiscard]] const Comparison& comparison() const { return counts_; }

  // `ranked` is the finished ranking of the policy in charge.
  void compare(const Snapshot& snapshot, std::uint64_t need_bytes, const std::vector<RankedVictim>& ranked);
  // A request takes this model; `reload` is what loading it takes, as measured.
  void note_use(const std::string& model, std::optional<std::chrono::nanoseconds> reload);

 private:
  struct Side {
    PolicyBill& bill;
    std::set<std::string> gone;  // evicted, and not wanted since; bounded by the number of models
    void evict(const Snapshot& snapshot, const std::vector<RankedVictim>& victims);
    void note_use(const std::string& model, std::optional<std::chrono::nanoseconds> reload);
  };
  void answered(const Snapshot& snapshot, std::uint64_t need_bytes, const std::vector<RankedVictim>& taken,
                Result<std::vector<RankedVictim>> answer);

  Finish finish_;
  std::shared_ptr<EvictionPolicy> policy_;
  unsigned generation_ = 0;  // answers of an earlier shadow come too late
  bool busy_ = false;
  Comparison counts_;
  Side in_charge_{counts_.in_charge, {}};
  Side shadow_{counts_.shadow, {}};
};

}  // namespace llamavisor
