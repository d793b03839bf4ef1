// The one place that unloads models, one at a time.
//
// A job's life:
//   queued -> draining  the gate is closed; requests in flight run to their end, new ones wait at the desk
//          -> unloading the server was asked; the runner's end and /api/ps confirm it
//          -> done      the residency is removed, the bytes it held are measured, an event says why
// From draining back to ready, with an error, when the requests do not end within the drain bound: a busy
// model is never unloaded. From unloading back to ready when even ending the runner failed.
//
// Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "actions/event_log.h"
#include "actions/server_tasks.h"
#include "ledger/ledger.h"

namespace llamavisor {

struct UnloadOrder {
  std::shared_ptr<Residency> residency;
  EventKind kind = EventKind::eviction;
  std::string why;  // ends the sentence "Evicted a128 (idle for 3 min): ..."
  std::chrono::milliseconds drain_timeout{0};
  std::chrono::milliseconds unload_timeout{10'000};
  std::function<void(Result<UnloadOutcome>)> done;  // may be empty
};

class Executor {
 public:
  Executor(boost::asio::io_context& io, const Clock& clock, Ledger& ledger, ServerTasks& tasks,
           EventLog& events);

  void submit(UnloadOrder order);
  // To be called after the ledger changed: a draining model may be idle now.
  void poll();
  [[nodiscard]] bool idle() const { return !current_ && queue_.empty(); }

 private:
  void start_next();
  void begin_unload();
  void finish(Result<UnloadOutcome> outcome);
  void tell(const UnloadOrder& order, const UnloadOutcome& outcome, SteadyTime last_used);

  const Clock& clock_;
  Ledger& ledger_;
  ServerTasks& tasks_;
  EventLog& events_;
  boost::asio::steady_timer drain_timer_;
  std::deque<UnloadOrder> queue_;
  std::unique_ptr<UnloadOrder> current_;
};

}  // namespace llamavisor
