#include "actions/executor.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/units.h"

namespace llamavisor {
namespace {

std::string summary_of(const UnloadOrder& order) {
  return (order.kind == EventKind::resize ? "Reloading " : "Evicted ") + order.residency->name;
}

}  // namespace

Executor::Executor(boost::asio::io_context& io, const Clock& clock, Ledger& ledger, ServerTasks& tasks,
                   EventLog& events)
    : io_(io), clock_(clock), ledger_(ledger), tasks_(tasks), events_(events), drain_timer_(io) {}

void Executor::submit(UnloadOrder order) {
  const SteadyTime until = clock_.now() + order.drain_timeout;
  draining_.push_back({std::move(order), until});
  poll();
}

// Each gate that opens or residency that goes calls back in here: that is noted, not nested.
void Executor::poll() {
  again_ = true;
  if (std::exchange(polling_, true)) {
    return;
  }
  while (std::exchange(again_, false)) {
    sweep();
  }
  polling_ = false;
  arm();
}

void Executor::sweep() {
  for (auto it = draining_.begin(); it != draining_.end();) {
    Residency& residency = *it->order.residency;
    if (auto outcome = ended(*it)) {
      const Draining one = std::move(*it);
      it = draining_.erase(it);
      give_up(one);
      tell_done(one.order, std::move(*outcome));
      continue;
    }
    if (residency.gate_open()) {
      ledger_.set_state(residency, ResidencyState::draining);
    }
    if (!unloading_ && residency.in_flight == 0) {
      UnloadOrder order = std::move(it->order);
      it = draining_.erase(it);
      begin_unload(std::move(order));
      continue;
    }
    ++it;
  }
}

// How an order ends that is not to be carried out; absent while it may be.
std::optional<Result<UnloadOutcome>> Executor::ended(const Draining& one) const {
  const Residency& residency = *one.order.residency;
  if (ledger_.find_key(residency.key) != one.order.residency) {
    return UnloadOutcome{};
  }
  if (one.order.wanted && !one.order.wanted()) {
    return Error(residency.name + " need not be unloaded any more");
  }
  if (residency.in_flight > 0 && clock_.now() >= one.until) {
    return Error(residency.name + " was still busy after " + format_duration(one.order.drain_timeout));
  }
  return std::nullopt;
}

void Executor::give_up(const Draining& one) {
  const auto same = [&](const Draining& other) { return other.order.residency == one.order.residency; };
  const bool only_one = std::none_of(draining_.begin(), draining_.end(), same);
  if (only_one && one.order.residency->state == ResidencyState::draining) {
    ledger_.set_state(*one.order.residency, ResidencyState::ready);
  }
}

void Executor::begin_unload(UnloadOrder order) {
  Residency& residency = *order.residency;
  ledger_.set_state(residency, ResidencyState::unloading);
  UnloadJob job;
  job.name = residency.name;
  job.blob_digest = residency.key == residency.name ? "" : residency.key;
  job.runner = residency.runner;
  job.timeout = order.unload_timeout;
  job.may_end_runner = !ledger_.has_guests();
  unloading_ = std::move(order);
  tasks_.unload(job, [this](Result<UnloadOutcome> outcome) { finish(std::move(outcome)); });
}

void Executor::finish(Result<UnloadOutcome> outcome) {
  const UnloadOrder order = std::move(*unloading_);
  unloading_.reset();
  if (outcome) {
    outcome->sentence = tell(order, *outcome);
    if (order.kind == EventKind::eviction) {
      ledger_.note_evicted(*order.residency);
    }
  } else {
    events_.add({.kind = EventKind::eviction_failed,
                 .summary = "Could not unload " + order.residency->name,
                 .sentence = "Could not unload " + order.residency->name + ": " + outcome.error().text(),
                 .model = order.residency->name});
  }
  const bool gone = outcome.has_value();
  tell_done(order, std::move(outcome));
  if (!gone) {
    ledger_.set_state(*order.residency, ResidencyState::ready);
  } else if (ledger_.find_key(order.residency->key) == order.residency) {
    ledger_.remove(order.residency->key);
  }
  poll();
}

void Executor::tell_done(const UnloadOrder& order, Result<UnloadOutcome> outcome) {
  if (order.done) {
    boost::asio::post(io_, [done = order.done, outcome = std::move(outcome)] { done(outcome); });
  }
}

// A busy model that drains is met again at its bound at the latest.
void Executor::arm() {
  SteadyTime next = SteadyTime::max();
  for (const Draining& one : draining_) {
    next = one.order.residency->in_flight > 0 ? std::min(next, one.until) : next;
  }
  if (next == SteadyTime::max()) {
    drain_timer_.cancel();
    return;
  }
  drain_timer_.expires_after(next - clock_.now());
  drain_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      poll();
    }
  });
}

std::string Executor::tell(const UnloadOrder& order, const UnloadOutcome& outcome) {
  const auto idle =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - order.residency->last_used);
  Event event{.kind = order.kind, .summary = summary_of(order), .model = order.residency->name};
  event.freed_bytes = outcome.freed_bytes;
  event.available_bytes = outcome.available_bytes;
  event.sentence = event.summary + " (last used " + format_duration(idle) + " ago): " + order.why + ".";
  if (outcome.freed_bytes) {
    event.sentence += " It gave back " + format_bytes(*outcome.freed_bytes);
    event.sentence += outcome.available_bytes
                          ? "; " + format_bytes(*outcome.available_bytes) + " of memory are available now."
                          : ".";
  }
  if (outcome.runner_killed) {
    event.sentence += " Its runner did not stop in time and was ended.";
  }
  std::string sentence = event.sentence;
  events_.add(std::move(event));
  return sentence;
}

}  // namespace llamavisor
