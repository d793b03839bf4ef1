#include "policy/admission.h"

#include <algorithm>
#include <limits>

#include "base/units.h"

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

// The least recently asked-for busy models whose end would make the room.
DrainFirst drain_enough(const Snapshot& snapshot, const Held& in_hand, Bytes missing) {
  DrainFirst out;
  Bytes freed = in_hand.leaving;
  for (const std::size_t i : in_hand.busy) {
    if (freed >= missing) {
      break;
    }
    freed += snapshot.models[i].charge_bytes;
    out.model_indices.push_back(i);
  }
  return out;
}

}  // namespace

std::vector<RankedVictim> take_enough(const Snapshot& snapshot, const std::vector<RankedVictim>& ranked,
                                      Bytes need_bytes) {
  std::vector<RankedVictim> taken;
  Bytes freed = 0;
  for (const RankedVictim& victim : ranked) {
    if (freed >= need_bytes) {
      break;
    }
    freed += snapshot.models[victim.model_index].charge_bytes;
    taken.push_back(victim);
  }
  for (auto it = taken.begin(); it != taken.end();) {
    const Bytes charge = snapshot.models[it->model_index].charge_bytes;
    const bool superfluous = taken.size() > 1 && freed - charge >= need_bytes;
    freed -= superfluous ? charge : 0;
    it = superfluous ? taken.erase(it) : it + 1;
  }
  return taken;
}

AdmissionDecision decide_admission(const AdmissionQuestion& question, const Snapshot& snapshot,
                                   const std::vector<RankedVictim>& ranked) {
  const Bytes need = question.need_bytes;
  const Held in_hand = held(snapshot);
  if (need > less(snapshot.limit_bytes, in_hand.pinned)) {
    const bool pins = need <= snapshot.limit_bytes;
    return Refuse{refusal(question, snapshot,
                          pins ? "but pinned models hold " + format_bytes(in_hand.pinned)
                               : "more than the whole budget"),
                  true};
  }
  const Bytes budget_room = less(snapshot.limit_bytes, snapshot.used_bytes);
  const Bytes room = std::min(budget_room, host_room(snapshot, question.min_available_bytes));
  if (need <= room) {
    return Admit{};
  }
  const Bytes missing = need - room;
  std::vector<RankedVictim> victims = take_enough(snapshot, ranked, missing);
  const Bytes freed = sum_charges(snapshot, victims);
  if (freed >= missing) {
    return EvictFirst{std::move(victims)};
  }
  DrainFirst drain = drain_enough(snapshot, in_hand, missing - freed);
  if (!drain.model_indices.empty() || in_hand.leaving > 0) {
    return drain;  // idle victims wait until it is sure that their end makes the room
  }
  return Refuse{refusal(question, snapshot, "but the machine has only " + format_bytes(room) + " to give"),
                false};
}

}  // namespace llamavisor
