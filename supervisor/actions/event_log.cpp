#include "actions/event_log.h"

#include <algorithm>

#include "base/log.h"

namespace llamavisor {

void EventLog::add(Event event) {
  event.id = next_id_++;
  event.at = clock_.wall();
  log_info(event.sentence);
  events_.push_back(std::move(event));
  if (events_.size() > kKept) {
    events_.pop_front();
  }
  std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
  const auto listeners = listeners_;  // a listener may add or drop listeners
  const Event told = events_.back();
  for (const auto& weak : listeners) {
    if (const auto listener = weak.lock()) {
      (*listener)(told);
    }
  }
}

std::optional<Event> EventLog::last(EventKind kind) const {
  const auto it =
      std::find_if(events_.rbegin(), events_.rend(), [&](const Event& event) { return event.kind == kind; });
  return it == events_.rend() ? std::nullopt : std::optional<Event>(*it);
}

std::shared_ptr<void> EventLog::listen(Listener listener) {
  auto held = std::make_shared<Listener>(std::move(listener));
  listeners_.push_back(held);
  return held;
}

}  // namespace llamavisor
