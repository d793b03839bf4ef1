// The orders that remember: lfu and gdsf, shared with composite.
#pragma once

#include <algorithm>
#include <limits>
#include <map>

#include "orders.h"
#include "use_memory.h"

namespace llamavisor::orders {

inline std::string number(double value) {
  return text::number(value, value < 10 ? 2 : 0);
}

// Score = -(aged uses). A model whose uses nobody counts goes first.
class Lfu {
 public:
  explicit Lfu(nanoseconds half_life) : uses_(half_life) {}
  void learn(const Snapshot& snapshot) {
    uses_.learn(snapshot);
    now_ = snapshot.now;
  }
  void place(const Model& model, Place& out) const {
    const auto value = uses_.value(model.name, now_);
    out.score = -value.value_or(0);
    if (value) {
      out.reason.append("least frequently used: ").append(number(*value));
      out.reason.append(" uses, aged by half each ").append(text::duration(uses_.half_life()));
    } else {
      out.reason.append("its uses are not counted");
    }
  }

 private:
  UseMemory uses_;
  nanoseconds now_{0};
};

// Greedy-dual size frequency (Cherkasova, HPL-98-69R1, 1998; Cao and Irani 1997 without the frequency):
//
//   K = L + F * C / S, set when the model is used
//
// F: its aged uses then; C: seconds that loading it takes, as measured; S: GiB that its eviction gives back.
// The model with the smallest K goes, and L, which is 0 in the beginning, becomes that K: what was not used
// since then falls behind what comes in. A snapshot does not say which models a policy evicted; one that is
// gone, or was loaded anew, raises L to its K, but never above the K of a model that stayed unused meanwhile:
// a valuable model whose keep_alive ran out does not devalue the others.
class Gdsf {
 public:
  explicit Gdsf(nanoseconds half_life, nanoseconds unmeasured) : uses_(half_life), unmeasured_(unmeasured) {}

  void learn(const Snapshot& snapshot) {
    uses_.learn(snapshot);
    raise_inflation(snapshot);
    std::map<std::string, Entry, std::less<>> fresh;
    for (const Model& model : snapshot) {
      const auto old = entries_.find(model.name);
      const Entry now{last_use(model, snapshot), loaded(model, snapshot), 0, worth(model, snapshot)};
      const bool same =
          old != entries_.end() && old->second.last_use == now.last_use && old->second.loaded == now.loaded;
      Entry& entry = fresh[std::string(model.name)] = same ? old->second : now;
      entry.key = same ? old->second.key : inflation_ + now.worth;
    }
    entries_ = std::move(fresh);
  }

  void place(const Model& model, Place& out) const {
    const Entry& entry = entries_.find(model.name)->second;
    out.score = -entry.key;
    out.reason.append("cheapest to do without: ").append(number(uses_at(model, entry)));
    out.reason.append(" aged uses, back in ").append(text::duration(reload(model)));
    out.reason.append(model.reload ? "" : " (not measured)");
    out.reason.append(", gives back ").append(text::bytes(size(model)));
  }
  [[nodiscard]] double inflation() const { return inflation_; }

 private:
  struct Entry {
    nanoseconds last_use{0};
    nanoseconds loaded{0};
    double key = 0;
    double worth = 0;
  };

  static nanoseconds last_use(const Model& model, const Snapshot& snapshot) {
    return snapshot.now - model.idle.value_or(snapshot.now);
  }
  static nanoseconds loaded(const Model& model, const Snapshot& snapshot) {
    return snapshot.now - model.resident.value_or(snapshot.now);
  }
  [[nodiscard]] nanoseconds reload(const Model& model) const {
    return model.reload ? *model.reload : model.load_duration.value_or(unmeasured_);
  }
  static Bytes size(const Model& model) {
    const auto known = model.size ? model.size : model.rss;
    return std::max<Bytes>(known.value_or(0), 1U << 20U);
  }
  [[nodiscard]] double uses_at(const Model& model, const Entry& entry) const {
    return uses_.value(model.name, entry.last_use).value_or(1);
  }
  [[nodiscard]] double worth(const Model& model, const Snapshot& snapshot) const {
    const double gib = static_cast<double>(size(model)) / static_cast<double>(1U << 30U);
    const double uses = uses_.value(model.name, last_use(model, snapshot)).value_or(1);
    return uses * seconds(reload(model)) / gib;
  }

  void raise_inflation(const Snapshot& snapshot) {
    std::map<std::string, const Entry*, std::less<>> gone;
    for (const auto& [name, entry] : entries_) {
      gone[name] = &entry;
    }
    double least_of_unused = std::numeric_limits<double>::infinity();
    for (const Model& model : snapshot) {
      const auto it = entries_.find(model.name);
      if (it == entries_.end() || it->second.loaded != loaded(model, snapshot)) {
        continue;  // new, or gone and back
      }
      gone.erase(it->first);
      if (it->second.last_use == last_use(model, snapshot)) {
        least_of_unused = std::min(least_of_unused, it->second.key);
      }
    }
    for (const auto& [name, entry] : gone) {
      inflation_ = std::max(inflation_, std::min(entry->key, least_of_unused));
    }
  }

  UseMemory uses_;
  nanoseconds unmeasured_;
  double inflation_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;  // of the models in the last snapshot
};

}  // namespace llamavisor::orders
