// Shipped policies on the snapshots that the core makes: a world of models whose uses are counted as the
// ledger counts them, seen by a plugin through the C tables.
#pragma once

#include "plugin_host/snapshot_view.h"
#include "support/snapshots.h"
#include "unit/sdk/plugin_rig.h"

namespace sdk_rig {

using namespace std::chrono_literals;
using llamavisor::ModelView;
using llamavisor::RankedVictim;
using llamavisor::Snapshot;

class World {
 public:
  Snapshot now = llamavisor::test::snapshot_of(64 * kGiB, {});

  void pass(std::chrono::nanoseconds time) {
    now.now += std::chrono::duration_cast<llamavisor::SteadyTime::duration>(time);
  }
  // A use, which loads the model where it is not resident.
  void use(const std::string& name, std::uint64_t gib = 1, std::chrono::nanoseconds reload = 1s) {
    ModelView& model = at(name, gib, reload);
    ++model.use_count;
    model.total_uses = ++total_uses_[name];
    model.last_used = now.now;
  }
  void evict(const std::string& name) {
    std::erase_if(now.models, [&](const ModelView& model) { return model.name == name; });
  }
  ModelView& at(const std::string& name) { return at(name, 1, 1s); }

  // Names in the order in which the policy would let them go.
  std::vector<std::string> order(const Instance& policy) const {
    std::vector<std::string> out;
    for (const RankedVictim& victim : ranked(policy)) {
      out.push_back(now.models.at(victim.model_index).name);
    }
    return out;
  }
  std::vector<RankedVictim> ranked(const Instance& policy) const {
    const llamavisor::SnapshotView view(now);
    return sorted(rank(policy, *view.get()));
  }
  std::vector<RankedVictim> due_now(const Instance& policy) const {
    const llamavisor::SnapshotView view(now);
    return sorted(due(policy, *view.get()));
  }

 private:
  static std::vector<RankedVictim> sorted(const Ranking& ranking) {
    if (ranking.code < 0) {
      throw std::runtime_error("the policy failed: " + ranking.text);
    }
    std::vector<RankedVictim> out;
    for (const Ranked& one : ranking.all) {
      out.push_back({one.index, one.score, one.reason});
    }
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    return out;
  }
  ModelView& at(const std::string& name, std::uint64_t gib, std::chrono::nanoseconds reload) {
    for (ModelView& model : now.models) {
      if (model.name == name) {
        return model;
      }
    }
    ModelView& model = now.models.emplace_back(llamavisor::test::idle(name, gib * kGiB, 0));
    model.loaded = model.last_used = now.now;
    model.reload = reload;
    model.total_uses = total_uses_[name];
    return model;
  }
  std::map<std::string, std::uint64_t> total_uses_;
};

}  // namespace sdk_rig
