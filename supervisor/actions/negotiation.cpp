// The admission desk's negotiation for one model: see the essay in admission_desk.h.
#include <algorithm>

#include "actions/admission_desk.h"
#include "base/overloaded.h"
#include "base/units.h"
#include "policy/guard.h"

namespace llamavisor {

void AdmissionDesk::start(const Ask& ask, const Name& name) {
  negotiation_ = Negotiation{};
  negotiation_->model = *name.model;
  negotiation_->model.name = ask.model;
  negotiation_->native = ask.native;
  negotiation_->old = residency_of(ask, name);
  size(ask);
}

void AdmissionDesk::size(const Ask& ask) {
  const ModelRule rule = rule_for(settings_, ask.model);
  const std::uint32_t unasked = default_for(&negotiation_->model);
  if (!ask.native) {
    negotiation_->num_ctx = unasked;
    decide();
    return;
  }
  ContextQuestion question;
  question.model = negotiation_->model;
  question.wish = wish_of(ask, &negotiation_->model);
  if (!question.wish) {  // the owner's word stands for the client's
    question.wish = rule.num_ctx;
  }
  if (!question.wish && settings_.context.default_num_ctx > 0) {
    question.wish = unasked;
  }
  question.default_num_ctx = unasked;
  const Snapshot now = snapshot_without_old();
  question.room_bytes = limit_bytes_;
  for (const ModelView& model : now.models) {
    question.room_bytes -= std::min(question.room_bytes, model.pinned ? model.charge_bytes : 0);
  }
  question.room_bytes = std::min(question.room_bytes, rule.limit_bytes.value_or(question.room_bytes));
  const std::uint64_t at_1k = p_.tasks.forecast(question.model, 1024).bytes;
  const std::uint64_t at_2k = p_.tasks.forecast(question.model, 2048).bytes;
  question.kv_bytes_per_token = (at_2k - std::min(at_2k, at_1k)) / 1024;
  p_.engine.choose_context(now, question, [this, rule](const ContextChoice& choice) {
    negotiation_->num_ctx = rule.max_num_ctx ? std::min(choice.num_ctx, *rule.max_num_ctx) : choice.num_ctx;
    decide();
  });
}

AdmissionQuestion AdmissionDesk::question() const {
  const ModelRule rule = rule_for(settings_, negotiation_->model.name);
  return {negotiation_->model.name, negotiation_->forecast.bytes, settings_.memory.min_available_bytes,
          rule.exclusive.value_or(""), rule.limit_bytes};
}

// A residency that makes way for its own larger self is not in its own way.
Snapshot AdmissionDesk::snapshot_without_old() const {
  Snapshot out = snapshot();
  if (negotiation_->old) {
    std::erase_if(out.models, [&](const ModelView& view) { return view.key == negotiation_->old->key; });
    out.used_bytes -= std::min(out.used_bytes, negotiation_->old->charge_bytes());
    if (out.available_bytes) {
      *out.available_bytes += negotiation_->old->footprint_bytes.value_or(0);
    }
  }
  return out;
}

bool AdmissionDesk::abandoned() const {
  return !negotiation_ || !anyone_waits_for(negotiation_->model.name);
}

void AdmissionDesk::decide() {
  if (abandoned()) {
    end_negotiation();
    return;
  }
  negotiation_->forecast = p_.tasks.forecast(negotiation_->model, negotiation_->num_ctx);
  const Snapshot now = snapshot_without_old();
  const AdmissionDecision first = decide_admission(question(), now, {});
  const auto* refusal = std::get_if<Refuse>(&first);
  if (std::holds_alternative<Admit>(first)) {
    admit();
  } else if (refusal != nullptr && refusal->for_ever) {
    refuse(*refusal);
  } else if (!std::exchange(negotiation_->looked, true)) {
    look_then_decide();
  } else {
    p_.engine.rank(now, missing_bytes(question(), now),
                   [this, now](std::vector<RankedVictim> ranked) { decide_ranked(now, std::move(ranked)); });
  }
}

// What the ledger holds may have gone by itself: look before anything is evicted.
void AdmissionDesk::look_then_decide() {
  p_.tasks.look([this](const Observation& observation, SteadyTime looked_at) {
    seen(observation, looked_at);
    decide();
  });
}

// The ranking was made a moment ago, off this thread: decide on the models as they are now.
void AdmissionDesk::decide_ranked(const Snapshot& then, std::vector<RankedVictim> ranked) {
  if (abandoned()) {
    end_negotiation();
    return;
  }
  const Snapshot now = snapshot_without_old();
  ranked = still_evictable(then, std::move(ranked), now);
  std::visit(Overloaded{[&](const Admit&) { admit(); },
                        [&](const EvictFirst& first) { evict_then_decide(now, first); },
                        [&](const DrainFirst& first) { drain_then_decide(now, first); },
                        [&](const Refuse& refusal) { refuse(refusal); }},
             decide_admission(question(), now, ranked));
}

void AdmissionDesk::evict_then_decide(const Snapshot& snapshot, const EvictFirst& first) {
  const std::string why_tail =
      "; " + negotiation_->model.name + " needs " + format_bytes(negotiation_->forecast.bytes) + " and " +
      format_bytes(snapshot.limit_bytes - std::min(snapshot.limit_bytes, snapshot.used_bytes)) + " of the " +
      format_bytes(snapshot.limit_bytes) + " budget were free";
  std::vector<UnloadOrder> orders;
  for (const RankedVictim& victim : first.victims) {
    orders.push_back(order_for(snapshot.models[victim.model_index].key, victim.reason + why_tail,
                               std::chrono::milliseconds(0)));
  }
  unload_all(std::move(orders));
}

// Wanted as long as somebody waits for the room and the owner has not pinned it meanwhile.
UnloadOrder AdmissionDesk::order_for(const std::string& key, std::string why,
                                     std::chrono::milliseconds drain_timeout) const {
  const auto residency = p_.ledger.find_key(key);
  return {.residency = residency,
          .kind = EventKind::eviction,
          .why = std::move(why),
          .drain_timeout = drain_timeout,
          .unload_timeout = settings_.memory.unload_timeout,
          .wanted = [this, residency] { return !abandoned() && !p_.ledger.pinned(*residency); }};
}

void AdmissionDesk::drain_then_decide(const Snapshot& snapshot, const DrainFirst& first) {
  if (first.model_indices.empty()) {
    negotiation_->waits_for_change = true;
    return;
  }
  const std::string why = "no idle model could make room; " + negotiation_->model.name + " needs " +
                          format_bytes(negotiation_->forecast.bytes) + " and had waited for its last answer";
  std::vector<UnloadOrder> orders;
  for (const std::size_t index : first.model_indices) {
    orders.push_back(order_for(snapshot.models[index].key, why,
                               std::max(longest_wait_left(), std::chrono::milliseconds(100))));
  }
  unload_all(std::move(orders));
}

void AdmissionDesk::unload_all(std::vector<UnloadOrder> orders) {
  const auto left = std::make_shared<std::size_t>(orders.size());
  for (UnloadOrder& order : orders) {
    order.done = [this, left](const Result<UnloadOutcome>&) {
      if (--*left == 0) {
        negotiation_->looked = false;  // footprints and the host's memory have changed
        decide();
      }
    };
    p_.executor.submit(std::move(order));
  }
}

void AdmissionDesk::admit() {
  if (!negotiation_->old) {
    reserve();
    return;
  }
  UnloadOrder order{.residency = negotiation_->old,
                    .kind = EventKind::resize,
                    .why = "a client asked for num_ctx " + std::to_string(negotiation_->num_ctx) +
                           ", it was loaded with " + std::to_string(negotiation_->old->num_ctx.value_or(0)),
                    .drain_timeout = std::max(longest_wait_left(), std::chrono::milliseconds(100)),
                    .unload_timeout = settings_.memory.unload_timeout,
                    .wanted = [this] { return !abandoned(); }};
  order.done = [this](const Result<UnloadOutcome>& outcome) {
    if (abandoned()) {
      end_negotiation();
    } else if (!outcome) {
      refuse(Refuse{outcome.error().text(), false});
    } else {
      negotiation_->old.reset();
      decide();
    }
  };
  p_.executor.submit(std::move(order));
}

void AdmissionDesk::reserve() {
  const InstalledModel& model = negotiation_->model;
  const auto residency = p_.ledger.reserve(model.blob_digest.empty() ? model.name : model.blob_digest,
                                           model.name, negotiation_->forecast.bytes, negotiation_->num_ctx);
  residency->keep_alive_due = !negotiation_->native;
  end_negotiation();
}

// A refused resize leaves the model as it is and serves the request with the num_ctx that is there, unless
// its route cannot say so. A refused load answers everybody who waits for that model.
void AdmissionDesk::refuse(const Refuse& refusal) {
  p_.events.add({.kind = EventKind::refusal,
                 .summary = "Refused " + negotiation_->model.name,
                 .sentence = "Refused to load " + negotiation_->model.name + ": " + refusal.sentence + ".",
                 .model = negotiation_->model.name});
  if (negotiation_->old && negotiation_->native) {
    negotiation_->old->grow_refused = true;
    end_negotiation();
    return;
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const Ticket ticket = it->lock();
    const bool meant = ticket && ticket->ask.model == negotiation_->model.name;
    if (meant) {
      serve(ticket, Denied{503, refusal.sentence,
                           refusal.for_ever ? std::nullopt : std::optional(std::chrono::seconds(10))});
    }
    it = !ticket || meant ? waiting_.erase(it) : std::next(it);
  }
  end_negotiation();
}

void AdmissionDesk::end_negotiation() {
  negotiation_.reset();
  schedule_pump();
}

}  // namespace llamavisor
