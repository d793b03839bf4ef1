#include "actions/admission_desk.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/units.h"

namespace llamavisor {
namespace {

constexpr auto kUnknownNameKept = std::chrono::seconds(1);

}  // namespace

AdmissionDesk::AdmissionDesk(Parts parts) : p_(parts), expiry_(parts.io) {}

void AdmissionDesk::configure(const Settings& settings, std::uint64_t limit_bytes,
                              std::uint32_t default_num_ctx) {
  settings_ = settings;
  limit_bytes_ = limit_bytes;
  default_num_ctx_ = default_num_ctx;
  schedule_pump();
}

// --- names ---------------------------------------------------------------------------------------------

const AdmissionDesk::Name* AdmissionDesk::known(const std::string& name) const {
  const auto it = names_.find(name);
  if (it == names_.end()) {
    return nullptr;
  }
  const bool stale = !it->second.model && p_.clock.now() - it->second.looked_up > kUnknownNameKept;
  return stale ? nullptr : &it->second;
}

void AdmissionDesk::resolve(const std::string& name) {
  if (!resolving_.insert(name).second) {
    return;
  }
  p_.tasks.resolve(name, [this, name](Result<std::optional<InstalledModel>> found) {
    resolving_.erase(name);
    names_[name] = Name{found ? std::move(*found) : std::nullopt, p_.clock.now()};
    pump();
  });
}

std::shared_ptr<Residency> AdmissionDesk::residency_of(const Ask& ask, const Name& name) const {
  const bool blob_known = name.model && !name.model->blob_digest.empty();
  return blob_known ? p_.ledger.find_key(name.model->blob_digest) : p_.ledger.find(ask.model);
}

// What Ollama takes for a request without a wish: the Modelfile's PARAMETER, else the server's default.
std::uint32_t AdmissionDesk::default_for(const InstalledModel* model) const {
  return model != nullptr ? model->param_num_ctx.value_or(default_num_ctx_) : default_num_ctx_;
}

// The client's wish within what the owner and the model's training allow. Routes of other protocols cannot
// carry one: theirs is always Ollama's default.
std::optional<std::uint32_t> AdmissionDesk::wish_of(const Ask& ask, const InstalledModel* model) const {
  const ModelRule rule = rule_for(settings_, ask.model);
  std::optional<std::uint32_t> wish = ask.native ? ask.wish : default_for(model);
  if (!wish || !ask.native) {
    return wish;
  }
  if (rule.max_num_ctx) {
    wish = std::min(*wish, *rule.max_num_ctx);
  }
  if (model != nullptr && model->shape && model->shape->context_length) {
    wish = std::min(*wish, *model->shape->context_length);
  }
  return wish;
}

// A native request is mapped onto the residency's num_ctx unless it wants more. Other routes make Ollama
// reload whenever the residency's num_ctx is not the default, so that reload must be admitted first.
bool AdmissionDesk::must_resize(const Ask& ask, const Name& name, const Residency& residency) const {
  const auto wish = wish_of(ask, name.model ? &*name.model : nullptr);
  if (!wish || !residency.num_ctx || !name.model) {
    return false;
  }
  if (!ask.native) {
    return *wish != *residency.num_ctx;
  }
  return settings_.context.grow && !residency.grow_refused && *wish > *residency.num_ctx;
}

Granted AdmissionDesk::grant(const Ask& ask, const Name& name, const std::shared_ptr<Residency>& residency) {
  Granted out;
  const std::uint32_t unasked = default_for(name.model ? &*name.model : nullptr);
  if (ask.native && residency->num_ctx && ask.wish.value_or(unasked) != *residency->num_ctx) {
    out.num_ctx = residency->num_ctx;
  }
  if (ask.native) {
    out.keep_alive = rule_for(settings_, ask.model).keep_alive;
  }
  out.lease = p_.ledger.lease(residency);
  return out;
}

std::optional<Verdict> AdmissionDesk::try_now(const Ask& ask) {
  const Name* name = known(ask.model);
  if (name == nullptr) {
    return std::nullopt;
  }
  const auto residency = residency_of(ask, *name);
  if (residency == nullptr) {
    return name->model ? std::nullopt : std::optional<Verdict>(Unknown{});
  }
  if (!residency->gate_open() || must_resize(ask, *name, *residency)) {
    return std::nullopt;
  }
  return grant(ask, *name, residency);
}

void AdmissionDesk::overflowed(const Lease& lease, std::string sentence) {
  p_.ledger.note_overflow(lease.residency());
  p_.events.add({.kind = EventKind::prompt_overflow,
                 .summary = "Prompt too long for " + lease.residency().name,
                 .sentence = std::move(sentence),
                 .model = lease.residency().name});
}

// --- waiting -------------------------------------------------------------------------------------------

AdmissionDesk::Ticket AdmissionDesk::wait(Ask ask, Answer answer) {
  const auto leave = [this](Waiting* left) {
    delete left;
    schedule_pump();  // what was to be unloaded for it may stay
  };
  Ticket ticket(new Waiting{std::move(ask), std::move(answer), p_.clock.now(), std::nullopt}, leave);
  if (waiting() >= settings_.gateway.max_waiting) {
    serve(ticket, Denied{503, "too many requests wait for memory already (gateway.max_waiting)",
                         std::chrono::seconds(5)});
    return ticket;
  }
  waiting_.push_back(ticket);
  arm_expiry();
  schedule_pump();
  return ticket;
}

std::size_t AdmissionDesk::waiting() const {
  return static_cast<std::size_t>(
      std::count_if(waiting_.begin(), waiting_.end(), [](const auto& weak) { return !weak.expired(); }));
}

std::size_t AdmissionDesk::waiting_for(const std::string& model) const {
  return static_cast<std::size_t>(std::count_if(waiting_.begin(), waiting_.end(), [&](const auto& weak) {
    const auto ticket = weak.lock();
    return ticket && ticket->ask.model == model;
  }));
}

bool AdmissionDesk::anyone_waits_for(const std::string& name) const {
  return waiting_for(name) > 0;
}

std::chrono::milliseconds AdmissionDesk::longest_wait_left() const {
  SteadyTime newest{};
  for (const auto& weak : waiting_) {
    const auto ticket = weak.lock();
    if (ticket && negotiation_ && ticket->ask.model == negotiation_->model.name) {
      newest = std::max(newest, ticket->since);
    }
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(newest + settings_.memory.admission_wait -
                                                               p_.clock.now());
}

void AdmissionDesk::schedule_pump() {
  if (!std::exchange(pump_scheduled_, true)) {
    boost::asio::post(p_.io, [this] {
      pump_scheduled_ = false;
      pump();
    });
  }
}

// The answer is posted: whoever gets it may come back to the desk at once.
void AdmissionDesk::serve(const Ticket& ticket, Verdict verdict) {
  ticket->verdict = std::move(verdict);
  boost::asio::post(p_.io, [weak = std::weak_ptr<Waiting>(ticket)] {
    if (const auto alive = weak.lock()) {
      alive->answer(std::move(*alive->verdict));
    }
  });
}

void AdmissionDesk::pump() {
  p_.executor.poll();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const Ticket ticket = it->lock();
    std::optional<Verdict> verdict = ticket ? try_now(ticket->ask) : std::nullopt;
    if (ticket && !verdict && known(ticket->ask.model) == nullptr) {
      resolve(ticket->ask.model);
    }
    if (verdict) {
      serve(ticket, std::move(*verdict));
    }
    it = !ticket || verdict ? waiting_.erase(it) : std::next(it);
  }
  if (negotiation_) {
    if (std::exchange(negotiation_->waits_for_change, false)) {
      decide();
    }
    return;
  }
  for (const auto& weak : waiting_) {
    const Ticket ticket = weak.lock();
    const Name* name = ticket ? known(ticket->ask.model) : nullptr;
    const auto residency = name != nullptr ? residency_of(ticket->ask, *name) : nullptr;
    const bool free_to_go = residency == nullptr || residency->state == ResidencyState::ready;
    if (name != nullptr && name->model && free_to_go) {
      start(ticket->ask, *name);
      return;
    }
  }
}

void AdmissionDesk::arm_expiry() {
  SteadyTime oldest = SteadyTime::max();
  for (const auto& weak : waiting_) {
    if (const auto ticket = weak.lock()) {
      oldest = std::min(oldest, ticket->since);
    }
  }
  if (oldest == SteadyTime::max()) {
    return;
  }
  expiry_.expires_after(std::max(oldest + settings_.memory.admission_wait - p_.clock.now(),
                                 std::chrono::steady_clock::duration(std::chrono::milliseconds(10))));
  expiry_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      expire();
    }
  });
}

void AdmissionDesk::expire() {
  const SteadyTime limit = p_.clock.now() - settings_.memory.admission_wait;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const Ticket ticket = it->lock();
    const bool late = ticket && ticket->since <= limit;
    if (late) {
      const std::string waited = format_duration(settings_.memory.admission_wait);
      serve(ticket,
            Denied{503,
                   ticket->ask.model + " waited " + waited + " for memory: the models in the budget of " +
                       format_bytes(limit_bytes_) + " stayed busy",
                   std::chrono::seconds(10)});
    }
    it = !ticket || late ? waiting_.erase(it) : std::next(it);
  }
  arm_expiry();
}

void AdmissionDesk::loaded(const Residency& residency) {
  const auto keep_alive = rule_for(settings_, residency.name).keep_alive;
  if (residency.keep_alive_due && keep_alive) {
    p_.tasks.set_keep_alive(residency.name, residency.num_ctx, *keep_alive);
  }
}

void AdmissionDesk::seen(const Observation& seen, SteadyTime looked_at) {
  sample_ = seen.sample;
  forget_names();  // manifests may have been changed by others than our clients
  for (const std::string& name : reconcile(p_.ledger, seen, looked_at)) {
    p_.events.add({.kind = EventKind::unloaded,
                   .summary = "Unloaded " + name,
                   .sentence = "Unloaded " + name + ": the server let it go (keep_alive, or a failed load).",
                   .model = name});
  }
  schedule_pump();
}

}  // namespace llamavisor
