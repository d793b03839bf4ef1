// How often a model is used, old uses counting less and less: for lfu, gdsf and composite.
//
//   value(t) = sum over the uses i of 2^(-(t - t_i) / half_life)
//
// This is the CRF of LRFU (Lee et al., IEEE Transactions on Computers 50(12), 2001) with F(x) = (1/2)^(x/h).
// It needs no list of uses: value(t) = value(s) * 2^(-(t - s) / h), plus 1 for each use. A snapshot tells how
// many uses there were and when the last one was; of several new ones the last counts from its own time, the
// others as if they were spread evenly from the time of the last one known before.
#pragma once

#include <algorithm>
#include <cmath>
#include <llamavisor/plugin.hpp>
#include <map>
#include <string>

namespace llamavisor {

class UseMemory {
 public:
  explicit UseMemory(nanoseconds half_life) : half_life_(half_life) {}

  // Takes over the uses that are new in the snapshot. To be called once for each, before value().
  void learn(const Snapshot& snapshot) {
    for (const Model& model : snapshot) {
      learn(model, snapshot.now);
    }
  }

  // Absent: nobody counts this model's uses.
  [[nodiscard]] std::optional<double> value(std::string_view name, nanoseconds at) const {
    const auto it = seen_.find(name);
    return it == seen_.end() ? std::nullopt : std::optional(aged(it->second.value, at - it->second.at));
  }
  [[nodiscard]] nanoseconds half_life() const { return half_life_; }

 private:
  static constexpr std::size_t kMaxModels = 4096;  // more names than that are forgotten all at once
  struct Seen {
    std::uint64_t total = 0;
    double value = 0;  // at `at`
    nanoseconds at{0};
  };

  [[nodiscard]] double aged(double value, nanoseconds by) const {
    return value * std::exp2(-ratio(std::max(by, nanoseconds(0))));
  }
  [[nodiscard]] double ratio(nanoseconds time) const {
    return static_cast<double>(time.count()) / static_cast<double>(half_life_.count());
  }
  // What `uses` are worth at the end of `over`, through which they are spread.
  [[nodiscard]] double spread(std::uint64_t uses, nanoseconds over) const {
    const double r = ratio(std::max(over, nanoseconds(0))) * std::log(2.0);
    return static_cast<double>(uses) * (r < 1e-9 ? 1 : (1 - std::exp(-r)) / r);
  }

  void learn(const Model& model, nanoseconds now) {
    const auto counted = model.total_uses ? model.total_uses : model.use_count;
    if (!counted || !model.idle) {
      return;
    }
    if (seen_.size() >= kMaxModels) {
      seen_.clear();
    }
    const nanoseconds last = now - *model.idle;
    const auto [it, first] = seen_.try_emplace(std::string(model.name));
    Seen& seen = it->second;
    if (first) {
      seen.at = now - std::max(*model.idle, model.resident.value_or(*model.idle));
    }
    const std::uint64_t fresh = *counted >= seen.total ? *counted - seen.total : *counted;
    seen.total = *counted;
    if (fresh > 0) {
      seen.value = aged(seen.value, last - seen.at) + spread(fresh - 1, last - seen.at) + 1;
      seen.at = last;
    }
  }

  nanoseconds half_life_;
  std::map<std::string, Seen, std::less<>> seen_;
};

}  // namespace llamavisor
