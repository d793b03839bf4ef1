#include "policy/admission.h"

#include <algorithm>
#include <limits>

#include "base/units.h"
#include "policy/guard.h"
#include "policy/order.h"

namespace llamavisor {
namespace {

using Bytes = std::uint64_t;

Bytes sum_charges(const Snapshot& snapshot, const std::vector<RankedVictim>& victims) {
  Bytes sum = 0;
  for (const RankedVictim& victim : victims) {
    sum += snapshot.models[victim.model_index].charge_bytes;
  }
  return sum;
}

Bytes less(Bytes a, Bytes b) {
  return a > b ? a - b : 0;
}

// What the host could still give: MemAvailable, less what is promised to loads but not yet held.
Bytes host_room(const Snapshot& snapshot, Bytes min_available_bytes) {
  if (!snapshot.available_bytes) {
    return std::numeric_limits<Bytes>::max();
  }
  Bytes promised = min_available_bytes;
  for (const ModelView& model : snapshot.models) {
    promised += less(model.charge_bytes, model.footprint_bytes.value_or(0));
  }
  return less(*snapshot.available_bytes, promised);
}

// "pinned a128 (158 MB), busy c256 (311 MB)": what holds the budget.
std::string holders(const Snapshot& snapshot) {
  std::string out;
  for (const ModelView& model : snapshot.models) {
    out += out.empty() ? "" : ", ";
    out += (model.pinned          ? "pinned "
            : model.in_flight > 0 ? "busy "
                                  : "") +
           model.name + " (" + format_bytes(model.charge_bytes) + ")";
  }
  return out.empty() ? "no other model" : out;
}

std::string refusal(const AdmissionQuestion& question, const Snapshot& snapshot, const std::string& why) {
  return question.model + " needs " + format_bytes(question.need_bytes) + " of memory, " + why +
         "; the budget is " + format_bytes(snapshot.limit_bytes) + ", held by " + holders(snapshot);
}

struct Held {
  Bytes pinned = 0;   // never given back
  Bytes leaving = 0;  // draining or unloading: room comes without our help
  std::vector<std::size_t> busy;
};

Held held(const Snapshot& snapshot) {
  Held out;
  for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
    const ModelView& model = snapshot.models[i];
    if (model.pinned) {
      out.pinned += model.charge_bytes;
    } else if (model.state == ResidencyState::draining || model.state == ResidencyState::unloading) {
      out.leaving += model.charge_bytes;
    } else if (model.in_flight > 0 || model.state == ResidencyState::loading) {
      out.busy.push_back(i);
    }
  }
  std::sort(out.busy.begin(), out.busy.end(), [&](std::size_t a, std::size_t b) {
    return snapshot.models[a].last_used < snapshot.models[b].last_used;
  });
  return out;
}

bool leaving(const ModelView& model) {
  return model.state == ResidencyState::draining || model.state == ResidencyState::unloading;
}

void add_once(std::vector<std::size_t>& to, std::size_t index) {
  if (std::find(to.begin(), to.end(), index) == to.end()) {
    to.push_back(index);
  }
}

// The least recently asked-for busy models whose end would make the room, with those that go with them.
DrainFirst drain_enough(const Snapshot& snapshot, const Held& in_hand, Bytes missing) {
  DrainFirst out;
  Bytes freed = in_hand.leaving;
  for (const std::size_t i : in_hand.busy) {
    if (freed >= missing) {
      break;
    }
    for (const std::size_t member : unit_members(snapshot, i)) {
      const std::size_t before = out.model_indices.size();
      if (!leaving(snapshot.models[member])) {
        add_once(out.model_indices, member);
      }
      freed += out.model_indices.size() > before ? snapshot.models[member].charge_bytes : 0;
    }
  }
  return out;
}

// Models that may not stay beside the one that is asked for, with those that go with them.
struct Excluded {
  std::vector<RankedVictim> idle;
  DrainFirst all;  // idle ones too, for when some are busy
  bool busy = false;
  const ModelView* pinned = nullptr;
};

Excluded excluded_by(const AdmissionQuestion& question, const Snapshot& snapshot) {
  std::vector<std::size_t> meant;
  for (std::size_t i = 0; i < snapshot.models.size() && !question.exclusive.empty(); ++i) {
    const ModelView& model = snapshot.models[i];
    if (model.exclusive == question.exclusive && model.name != question.model) {
      for (const std::size_t member : unit_members(snapshot, i)) {
        add_once(meant, member);
      }
    }
  }
  Excluded out;
  for (const std::size_t i : meant) {
    const ModelView& model = snapshot.models[i];
    out.pinned = model.pinned ? &model : out.pinned;
    out.busy = out.busy || !is_evictable(model);
    if (!leaving(model)) {
      out.all.model_indices.push_back(i);
    }
    out.idle.push_back({i, 0, question.model + " excludes it (group " + question.exclusive + ")"});
  }
  return out;
}

Bytes room_for(const AdmissionQuestion& question, const Snapshot& snapshot) {
  return std::min(less(snapshot.limit_bytes, snapshot.used_bytes),
                  host_room(snapshot, question.min_available_bytes));
}

// Why no waiting can help; empty: it may.
std::string never(const AdmissionQuestion& question, const Snapshot& snapshot, const Excluded& excluded,
                  Bytes pinned) {
  const Bytes need = question.need_bytes;
  if (question.limit_bytes && need > *question.limit_bytes) {
    return "more than its own limit of " + format_bytes(*question.limit_bytes);
  }
  if (excluded.pinned != nullptr) {
    return "but it excludes " + excluded.pinned->name + " (group " + question.exclusive +
           "), which is pinned";
  }
  if (need > less(snapshot.limit_bytes, pinned)) {
    return need <= snapshot.limit_bytes ? "but pinned models hold " + format_bytes(pinned)
                                        : "more than the whole budget";
  }
  return "";
}

// The excluded ones, which go in any case, and as many of the policy's as are missing then.
std::vector<RankedVictim> victims_for(const Snapshot& snapshot, const Excluded& excluded,
                                      std::vector<RankedVictim> ranked, Bytes missing) {
  std::vector<RankedVictim> out = excluded.idle;
  std::erase_if(ranked, [&](const RankedVictim& victim) {
    return std::any_of(out.begin(), out.end(),
                       [&](const RankedVictim& one) { return one.model_index == victim.model_index; });
  });
  const auto more = take_enough(snapshot, ranked, less(missing, sum_charges(snapshot, out)));
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace

std::vector<RankedVictim> take_enough(const Snapshot& snapshot, const std::vector<RankedVictim>& ranked,
                                      Bytes need_bytes) {
  std::vector<Unit> taken;
  Bytes freed = 0;
  for (Unit& unit : units_of(snapshot, ranked)) {
    if (freed >= need_bytes) {
      break;
    }
    freed += unit.bytes;
    taken.push_back(std::move(unit));
  }
  std::vector<RankedVictim> out;
  for (const Unit& unit : taken) {
    if (freed - unit.bytes >= need_bytes) {  // superfluous
      freed -= unit.bytes;
    } else {
      out.insert(out.end(), unit.victims.begin(), unit.victims.end());
    }
  }
  return out;
}

Bytes missing_bytes(const AdmissionQuestion& question, const Snapshot& snapshot) {
  return less(question.need_bytes, room_for(question, snapshot));
}

AdmissionDecision decide_admission(const AdmissionQuestion& question, const Snapshot& snapshot,
                                   const std::vector<RankedVictim>& ranked) {
  const Held in_hand = held(snapshot);
  const Excluded excluded = excluded_by(question, snapshot);
  if (const std::string why = never(question, snapshot, excluded, in_hand.pinned); !why.empty()) {
    return Refuse{refusal(question, snapshot, why), true};
  }
  const Bytes missing = missing_bytes(question, snapshot);
  if (excluded.busy) {
    return excluded.all;
  }
  if (missing == 0 && excluded.idle.empty()) {
    return Admit{};
  }
  std::vector<RankedVictim> victims = victims_for(snapshot, excluded, ranked, missing);
  const Bytes freed = sum_charges(snapshot, victims);
  if (freed >= missing) {
    return EvictFirst{std::move(victims)};
  }
  DrainFirst drain = drain_enough(snapshot, in_hand, missing - freed);
  if (!drain.model_indices.empty() || in_hand.leaving > 0) {
    return drain;  // idle victims wait until it is sure that their end makes the room
  }
  return Refuse{
      refusal(question, snapshot,
              "but the machine has only " + format_bytes(room_for(question, snapshot)) + " to give"),
      false};
}

}  // namespace llamavisor
