#include "policy/order.h"

#include <algorithm>
#include <map>

#include "base/units.h"
#include "policy/guard.h"

namespace llamavisor {
namespace {

std::string ago(std::chrono::nanoseconds time) {
  return format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(time));
}

bool goes_before(const ModelView& a, const ModelView& b) {
  return a.priority != b.priority ? a.priority < b.priority : a.quick_returns < b.quick_returns;
}

// "40 s after it was evicted (2 times lately)"
std::string comeback(const ModelView& model) {
  return ago(model.returned_after.value_or(std::chrono::nanoseconds(0))) + " after it was evicted" +
         (model.quick_returns > 1 ? " (" + std::to_string(model.quick_returns) + " times lately)" : "");
}

// Why `later`, which the policy would have taken first, was spared.
std::string spared(const ModelView& later, const ModelView& sooner) {
  return later.priority > sooner.priority ? "; it goes before " + later.name + ", whose priority is higher"
                                          : "; it goes before " + later.name + ", which was loaded again " +
                                                comeback(later) + " and so costs more";
}

const ModelView& model_of(const Snapshot& snapshot, const RankedVictim& victim) {
  return snapshot.models[victim.model_index];
}

// The first model of the policy's own order that `victim` has overtaken.
void explain(const Snapshot& snapshot, const std::vector<RankedVictim>& policys, RankedVictim& victim) {
  const ModelView& model = model_of(snapshot, victim);
  const auto overtaken = std::find_if(policys.begin(), policys.end(), [&](const RankedVictim& other) {
    return other.model_index == victim.model_index || goes_before(model, model_of(snapshot, other));
  });
  if (overtaken != policys.end() && overtaken->model_index != victim.model_index) {
    victim.reason += spared(model_of(snapshot, *overtaken), model);
  }
  if (model.quick_returns > 0) {
    victim.reason += "; it was loaded again " + comeback(model) + ", so it was spared while others could go";
  }
}

RankedVictim breaker(std::size_t index, std::string reason) {
  return {index, 0, std::move(reason)};
}

// The one of an exclusive group that may stay: a model that cannot go, else the last used.
bool stays_before(const ModelView& a, const ModelView& b) {
  return is_evictable(a) != is_evictable(b) ? !is_evictable(a) : a.last_used > b.last_used;
}

// Why this model may not stay as it is; empty: it may.
std::string broken_rule(const Snapshot& snapshot, const ModelView& model) {
  if (model.limit_bytes && model.charge_bytes > *model.limit_bytes) {
    return "it holds " + format_bytes(model.charge_bytes) + ", more than its own limit of " +
           format_bytes(*model.limit_bytes);
  }
  for (const ModelView& other : snapshot.models) {
    if (!model.exclusive.empty() && &other != &model && other.exclusive == model.exclusive &&
        stays_before(other, model)) {
      return other.name + " excludes it (group " + model.exclusive + ")";
    }
  }
  return "";
}

bool unit_is_evictable(const Snapshot& snapshot, std::size_t index) {
  const auto members = unit_members(snapshot, index);
  return std::all_of(members.begin(), members.end(),
                     [&](std::size_t i) { return is_evictable(snapshot.models[i]); });
}

}  // namespace

std::vector<RankedVictim> order_victims(const Snapshot& snapshot, std::vector<RankedVictim> ranked) {
  const bool nobody_overtakes = std::all_of(ranked.begin(), ranked.end(), [&](const RankedVictim& victim) {
    const ModelView& model = model_of(snapshot, victim);
    return model.quick_returns == 0 && model.priority == model_of(snapshot, ranked.front()).priority;
  });
  if (nobody_overtakes) {
    return ranked;
  }
  const std::vector<RankedVictim> policys = ranked;
  std::stable_sort(ranked.begin(), ranked.end(), [&](const RankedVictim& a, const RankedVictim& b) {
    return goes_before(model_of(snapshot, a), model_of(snapshot, b));
  });
  for (RankedVictim& victim : ranked) {
    explain(snapshot, policys, victim);
  }
  return ranked;
}

std::vector<std::size_t> unit_members(const Snapshot& snapshot, std::size_t index) {
  const std::string& group = snapshot.models[index].together;
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
    if (i == index || (!group.empty() && snapshot.models[i].together == group)) {
      out.push_back(i);
    }
  }
  return out;
}

std::vector<Unit> units_of(const Snapshot& snapshot, const std::vector<RankedVictim>& ranked) {
  std::vector<Unit> out;
  std::map<std::string, Unit> gathered;
  for (const RankedVictim& victim : ranked) {
    const ModelView& model = model_of(snapshot, victim);
    if (model.together.empty()) {
      out.push_back({{victim}, model.charge_bytes});
      continue;
    }
    Unit& unit = gathered[model.together];
    unit.victims.push_back(victim);
    unit.bytes += model.charge_bytes;
    if (unit.victims.size() == unit_members(snapshot, victim.model_index).size()) {
      out.push_back(unit);
    }
  }
  return out;
}

std::vector<RankedVictim> rule_breakers(const Snapshot& snapshot) {
  std::map<std::size_t, RankedVictim> out;
  for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
    const std::string why = broken_rule(snapshot, snapshot.models[i]);
    if (why.empty() || !unit_is_evictable(snapshot, i)) {
      continue;
    }
    out.insert_or_assign(i, breaker(i, why));
    for (const std::size_t member : unit_members(snapshot, i)) {
      out.try_emplace(member, breaker(member, "it goes together with " + snapshot.models[i].name));
    }
  }
  std::vector<RankedVictim> list;
  list.reserve(out.size());
  for (auto& [index, victim] : out) {
    list.push_back(std::move(victim));
  }
  return list;
}

}  // namespace llamavisor
