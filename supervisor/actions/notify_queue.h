// Tells the notifiers about events: bounded, coalesced, never in the way of what caused the event.
//
// Events that come within `coalesce` of the first one are told as one. Each notifier gets one delivery at a
// time; while it works, further events wait, at most kMaxPending of them: then the oldest are dropped and
// counted in the next text.
//
// Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "policy/ports.h"

namespace llamavisor {

struct NotifierState {
  std::string id;
  std::string state;   // "ok", "failing", "not used yet"
  std::string detail;  // the last error
};

// Several events as one: "Evicted 3 models", all sentences in the body. Pure; `events` is not empty.
Event merge_events(const std::vector<Event>& events, std::size_t dropped);

class NotifyQueue {
 public:
  static constexpr std::size_t kMaxPending = 64;

  explicit NotifyQueue(boost::asio::io_context& io) : timer_(io) {}

  void configure(const NotifySettings& settings) { settings_ = settings; }
  void use(std::vector<std::shared_ptr<Notifier>> notifiers);
  // Events of kinds that are not asked for are passed over. Those that come before the first use(), which is
  // while the program starts, wait for it.
  void push(const Event& event);
  [[nodiscard]] std::vector<NotifierState> states() const;

 private:
  struct Target {
    std::shared_ptr<Notifier> notifier;
    bool busy = false;
    std::vector<Event> pending;
    std::size_t dropped = 0;
    std::string state = "not used yet";
    std::string detail;
  };
  void flush();
  void deliver(const std::shared_ptr<Target>& target);

  NotifySettings settings_;
  boost::asio::steady_timer timer_;
  bool armed_ = false;
  std::vector<std::shared_ptr<Target>> targets_;
  bool in_use_ = false;
  std::vector<Event> early_;
};

}  // namespace llamavisor
