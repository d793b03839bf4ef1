#include "actions/notify_queue.h"

#include <algorithm>

#include "base/log.h"

namespace llamavisor {

Event merge_events(const std::vector<Event>& events, std::size_t dropped) {
  Event out = events.back();
  if (events.size() == 1 && dropped == 0) {
    return out;
  }
  const bool evictions = std::all_of(events.begin(), events.end(),
                                     [](const Event& event) { return event.kind == EventKind::eviction; });
  out.summary = evictions ? "Evicted " + std::to_string(events.size() + dropped) + " models"
                          : std::to_string(events.size() + dropped) + " things happened";
  out.count = static_cast<std::uint32_t>(events.size() + dropped);
  out.sentence.clear();
  out.model.clear();
  out.freed_bytes.reset();
  for (const Event& event : events) {
    out.sentence += (out.sentence.empty() ? "" : "\n") + event.sentence;
    if (event.freed_bytes) {
      out.freed_bytes = out.freed_bytes.value_or(0) + *event.freed_bytes;
    }
  }
  if (dropped > 0) {
    out.sentence += "\n(" + std::to_string(dropped) + " earlier ones are not shown)";
  }
  return out;
}

void NotifyQueue::use(std::vector<std::shared_ptr<Notifier>> notifiers) {
  targets_.clear();
  for (auto& notifier : notifiers) {
    targets_.push_back(std::make_shared<Target>());
    targets_.back()->notifier = std::move(notifier);
  }
  in_use_ = true;
  for (const Event& event : std::exchange(early_, {})) {
    push(event);
  }
}

void NotifyQueue::push(const Event& event) {
  if (!in_use_ && early_.size() < kMaxPending) {
    early_.push_back(event);
  }
  const auto& wanted = settings_.events;
  if (targets_.empty() || std::find(wanted.begin(), wanted.end(), to_string(event.kind)) == wanted.end()) {
    return;
  }
  for (const auto& target : targets_) {
    target->pending.push_back(event);
    if (target->pending.size() > kMaxPending) {
      target->pending.erase(target->pending.begin());
      ++target->dropped;
    }
  }
  if (!std::exchange(armed_, true)) {
    timer_.expires_after(settings_.coalesce);
    timer_.async_wait([this](const boost::system::error_code& ec) {
      armed_ = false;
      if (!ec) {
        flush();
      }
    });
  }
}

void NotifyQueue::flush() {
  for (const auto& target : targets_) {
    deliver(target);
  }
}

void NotifyQueue::deliver(const std::shared_ptr<Target>& target) {
  if (target->busy || target->pending.empty()) {
    return;
  }
  const Event merged = merge_events(target->pending, target->dropped);
  target->pending.clear();
  target->dropped = 0;
  target->busy = true;
  target->notifier->notify(merged, [this, target](const Result<void>& outcome) {
    target->busy = false;
    const std::string detail = outcome ? "" : outcome.error().text();
    if (!outcome && detail != target->detail) {
      log_warn("notifier " + target->notifier->id() + ": " + detail);
    }
    target->state = outcome ? "ok" : "failing";
    target->detail = detail;
    deliver(target);
  });
}

std::vector<NotifierState> NotifyQueue::states() const {
  std::vector<NotifierState> out;
  for (const auto& target : targets_) {
    out.push_back({target->notifier->id(), target->state, target->detail});
  }
  return out;
}

}  // namespace llamavisor
