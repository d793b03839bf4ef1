#include "simulate/replay.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <queue>

namespace llamavisor {
namespace {

using Milliseconds = std::chrono::milliseconds;
constexpr std::size_t kProgressEach = 4096;

Milliseconds between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<Milliseconds>(to - from);
}

// What happens at a time: a model's load is done, or the request in a slot has its answer.
struct Happening {
  SteadyTime at;
  std::uint64_t order = 0;  // of equal times: first come, first served
  bool loaded = false;
  std::uint32_t which = 0;  // model or slot
  bool operator>(const Happening& other) const {
    return at != other.at ? at > other.at : order > other.order;
  }
};

class Run {
 public:
  Run(const Trace& trace, const ReplayRules& rules, ManualClock& clock, Room& room)
      : trace_(trace),
        rules_(rules),
        clock_(clock),
        room_(room),
        ledger_(clock),
        models_(trace.models.size()) {
    ledger_.set_thrash_window(rules.thrash_window);
  }

  Result<Replayed> all() {
    for (std::size_t i = 0; i < trace_.requests.size() && !failed_; ++i) {
      run_until(time_of(trace_.requests[i]));
      waiting_.push_back(i);
      serve();
      if (rules_.progress && i % kProgressEach == 0) {
        rules_.progress(i);
      }
    }
    while (!happenings_.empty() && !failed_) {
      run_until(happenings_.top().at);
    }
    return failed_ ? Result<Replayed>(*failed_) : Result<Replayed>(std::move(out_));
  }

 private:
  struct Model {
    std::shared_ptr<Residency> residency;  // null: not resident
    SteadyTime ready_at{};
    std::uint32_t first_slot = 0;  // of the request that loads it
  };
  struct Slot {
    Lease lease;
    std::uint32_t model = 0;
  };

  [[nodiscard]] SteadyTime time_of(const TraceRequest& request) const { return start_ + request.at; }
  void move_to(SteadyTime at) { clock_.advance(std::max(at, clock_.now()) - clock_.now()); }

  // Everything that happens up to then, in order; afterwards it is then.
  void run_until(SteadyTime end) {
    while (!failed_) {
      const auto due = room_.next_due(ledger_, clock_.now());
      const bool more = !happenings_.empty();
      const SteadyTime next = more ? happenings_.top().at : SteadyTime::max();
      if (due && *due <= end && *due < next) {
        move_to(*due);
        unload_due();
      } else if (more && next <= end) {
        const Happening happening = happenings_.top();
        happenings_.pop();
        move_to(happening.at);
        happening.loaded ? finish_load(happening.which) : finish_answer(happening.which);
      } else {
        break;
      }
      serve();
    }
    move_to(end);
  }

  void serve() {
    while (!waiting_.empty() && !failed_ && admit(trace_.requests[waiting_.front()])) {
      waiting_.pop_front();
    }
  }

  // False: it must wait.
  bool admit(const TraceRequest& request) {
    Model& model = models_[request.model];
    if (!model.residency && !make_room(request.model)) {
      return false;
    }
    if (models_[request.model].residency) {
      join(request);
    }
    return true;
  }

  // False: not yet. True without a residency: the request is refused.
  bool make_room(std::uint32_t index) {
    const TraceModel& wanted = trace_.models[index];
    const AdmissionQuestion question{.model = wanted.name, .need_bytes = wanted.bytes};
    while (!failed_) {
      const Snapshot snapshot = ledger_.snapshot(rules_.limit_bytes, nullptr);
      const auto decision = room_.decide(question, snapshot);
      if (!decision) {
        failed_ = decision.error();
      } else if (const auto* first = std::get_if<EvictFirst>(&*decision)) {
        evict(snapshot, first->victims);
        if (room_.evicts_enough()) {
          load(index);
          return true;
        }
      } else if (std::holds_alternative<DrainFirst>(*decision)) {
        return false;  // nothing is admitted meanwhile: asked again when an answer has ended
      } else if (std::holds_alternative<Refuse>(*decision)) {
        ++out_.refused;
        return true;
      } else {
        load(index);
        return true;
      }
    }
    return false;
  }

  void load(std::uint32_t index) {
    const TraceModel& wanted = trace_.models[index];
    Model& model = models_[index];
    model.residency = ledger_.reserve(wanted.name, wanted.name, wanted.bytes, std::nullopt);
    model.ready_at = loader_free_ = std::max(loader_free_, clock_.now()) + wanted.reload;
    model.first_slot = std::numeric_limits<std::uint32_t>::max();
    happen({model.ready_at, 0, true, index});
    ++out_.loads;
    out_.reload += wanted.reload;
    out_.peak_bytes = std::max(out_.peak_bytes, ledger_.used_bytes());
  }

  void join(const TraceRequest& request) {
    Model& model = models_[request.model];
    const std::uint32_t slot = free_slot();
    slots_[slot].lease = ledger_.lease(model.residency);
    slots_[slot].model = request.model;
    model.first_slot = std::min(model.first_slot, slot);
    room_.used(trace_.models[request.model].name, request.keep_alive);
    const bool ready = model.residency->state == ResidencyState::ready;
    const SteadyTime begin = ready ? clock_.now() : model.ready_at;
    happen({begin + request.service, 0, false, slot});
    ++out_.requests;
    out_.warm += ready && clock_.now() == time_of(request) ? 1U : 0U;
    out_.waited += between(time_of(request), begin);
  }

  void finish_load(std::uint32_t index) { slots_[models_[index].first_slot].lease.answered(); }

  void finish_answer(std::uint32_t slot) {
    slots_[slot].lease.release();
    free_slots_.push_back(slot);
  }

  void unload_due() {
    const Snapshot snapshot = ledger_.snapshot(rules_.limit_bytes, nullptr);
    const auto victims = room_.due(snapshot);
    if (!victims) {
      failed_ = victims.error();
      return;
    }
    evict(snapshot, *victims);
  }

  void evict(const Snapshot& snapshot, const std::vector<RankedVictim>& victims) {
    for (const RankedVictim& victim : victims) {
      const std::string& name = snapshot.models[victim.model_index].name;
      const auto model = std::find_if(models_.begin(), models_.end(), [&](const Model& one) {
        return one.residency && one.residency->name == name;
      });
      ledger_.note_evicted(*model->residency);
      ledger_.remove(model->residency->key);
      model->residency = nullptr;
      room_.gone(name);
      ++out_.evictions;
      if (out_.victims.size() < Replayed::kMaxVictims) {
        out_.victims.push_back(name);
      }
    }
  }

  void happen(Happening happening) {
    happening.order = ++order_;
    happenings_.push(happening);
  }
  std::uint32_t free_slot() {
    if (free_slots_.empty()) {
      slots_.emplace_back();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t out = free_slots_.back();
    free_slots_.pop_back();
    return out;
  }

  const Trace& trace_;
  const ReplayRules& rules_;
  ManualClock& clock_;
  const SteadyTime start_ = clock_.now();  // stands for 1970
  Room& room_;
  Ledger ledger_;
  std::vector<Model> models_;
  std::deque<Slot> slots_;  // of the requests in flight
  std::vector<std::uint32_t> free_slots_;
  std::deque<std::size_t> waiting_;
  std::priority_queue<Happening, std::vector<Happening>, std::greater<>> happenings_;
  std::uint64_t order_ = 0;
  SteadyTime loader_free_{};
  std::optional<Error> failed_;
  Replayed out_;
};

}  // namespace

Result<Replayed> replay(const Trace& trace, const ReplayRules& rules, ManualClock& clock, Room& room) {
  return Run(trace, rules, clock, room).all();
}

}  // namespace llamavisor
