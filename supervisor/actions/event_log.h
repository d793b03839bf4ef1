// Everything that happened, in order, for those who ask later and those who listen.
// Thread: io thread only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "domain/event.h"

namespace llamavisor {

class EventLog {
 public:
  static constexpr std::size_t kKept = 1000;  // older events are forgotten
  using Listener = std::function<void(const Event&)>;

  explicit EventLog(const Clock& clock) : clock_(clock) {}

  // Numbers and times the event, writes it to the log, tells the listeners.
  void add(Event event);
  [[nodiscard]] const std::deque<Event>& all() const { return events_; }
  [[nodiscard]] std::optional<Event> last(EventKind kind) const;

  // The listener is called for each new event until the returned handle dies.
  [[nodiscard]] std::shared_ptr<void> listen(Listener listener);

 private:
  const Clock& clock_;
  std::uint64_t next_id_ = 1;
  std::deque<Event> events_;
  std::deque<std::weak_ptr<Listener>> listeners_;
};

}  // namespace llamavisor
