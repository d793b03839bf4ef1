#include "actions/executor.h"

#include "base/units.h"

namespace llamavisor {
namespace {

std::string summary_of(const UnloadOrder& order) {
  return (order.kind == EventKind::resize ? "Reloading " : "Evicted ") + order.residency->name;
}

}  // namespace

Executor::Executor(boost::asio::io_context& io, const Clock& clock, Ledger& ledger, ServerTasks& tasks,
                   EventLog& events)
    : clock_(clock), ledger_(ledger), tasks_(tasks), events_(events), drain_timer_(io) {}

void Executor::submit(UnloadOrder order) {
  queue_.push_back(std::move(order));
  start_next();
}

void Executor::start_next() {
  if (current_ || queue_.empty()) {
    return;
  }
  current_ = std::make_unique<UnloadOrder>(std::move(queue_.front()));
  queue_.pop_front();
  if (ledger_.find_key(current_->residency->key) != current_->residency) {
    finish(UnloadOutcome{});  // it went by itself meanwhile
    return;
  }
  ledger_.set_state(*current_->residency, ResidencyState::draining);
  drain_timer_.expires_after(current_->drain_timeout);
  drain_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && current_ && current_->residency->state == ResidencyState::draining) {
      finish(Error(current_->residency->name + " was still busy after " +
                   format_duration(current_->drain_timeout)));
    }
  });
  poll();
}

void Executor::poll() {
  if (current_ && current_->residency->state == ResidencyState::draining &&
      current_->residency->in_flight == 0) {
    drain_timer_.cancel();
    begin_unload();
  }
}

void Executor::begin_unload() {
  Residency& residency = *current_->residency;
  ledger_.set_state(residency, ResidencyState::unloading);
  UnloadJob job;
  job.name = residency.name;
  job.blob_digest = residency.key == residency.name ? "" : residency.key;
  job.runner = residency.runner;
  job.timeout = current_->unload_timeout;
  tasks_.unload(job, [this](Result<UnloadOutcome> outcome) { finish(std::move(outcome)); });
}

void Executor::finish(Result<UnloadOutcome> outcome) {
  const std::unique_ptr<UnloadOrder> order = std::move(current_);
  const SteadyTime last_used = order->residency->last_used;
  if (outcome) {
    tell(*order, *outcome, last_used);
    if (order->kind == EventKind::eviction) {
      ledger_.note_evicted(*order->residency);
    }
    ledger_.remove(order->residency->key);
  } else if (order->residency->state == ResidencyState::draining) {
    ledger_.set_state(*order->residency, ResidencyState::ready);  // it was still in use: nothing happened
  } else {
    events_.add({.kind = EventKind::eviction_failed,
                 .summary = "Could not unload " + order->residency->name,
                 .sentence = "Could not unload " + order->residency->name + ": " + outcome.error().text(),
                 .model = order->residency->name});
    ledger_.set_state(*order->residency, ResidencyState::ready);
  }
  if (order->done) {
    order->done(std::move(outcome));
  }
  start_next();
}

void Executor::tell(const UnloadOrder& order, const UnloadOutcome& outcome, SteadyTime last_used) {
  const auto idle = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - last_used);
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
  events_.add(std::move(event));
}

}  // namespace llamavisor
