// The one place that unloads models: drains may overlap, unloads come one at a time.
//
// An order's life:
//   draining  the gate is closed; requests in flight run to their end, new ones wait at the desk
//   unloading the server was asked; the runner's end and /api/ps confirm it
//   done      the residency is removed, the bytes it held are measured, an event says why
// From draining back to ready, with an error, when the requests do not end within the drain bound (a busy
// model is never unloaded), or when nobody wants the order any more. From unloading back to ready when even
// ending the runner failed. A residency that ended by itself fulfils its order without an event.
//
// Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
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
  std::function<bool()> wanted{};                            // asked until the unload begins; empty: always
  std::function<void(const Result<UnloadOutcome>&)> done{};  // posted, once; may be empty
};

class Executor {
 public:
  Executor(boost::asio::io_context& io, const Clock& clock, Ledger& ledger, ServerTasks& tasks,
           EventLog& events);

  void submit(UnloadOrder order);
  // To be called after something changed that an order waits for: a lease ended, a client left.
  void poll();
  // A model is being unloaded, so what the memory will be is not known yet.
  [[nodiscard]] bool unloading() const { return unloading_.has_value(); }

 private:
  struct Draining {
    UnloadOrder order;
    SteadyTime until;
  };

  void sweep();
  [[nodiscard]] std::optional<Result<UnloadOutcome>> ended(const Draining& one) const;
  void give_up(const Draining& one);
  void begin_unload(UnloadOrder order);
  void finish(Result<UnloadOutcome> outcome);
  void tell_done(const UnloadOrder& order, Result<UnloadOutcome> outcome);
  std::string tell(const UnloadOrder& order, const UnloadOutcome& outcome);
  void arm();

  boost::asio::io_context& io_;
  const Clock& clock_;
  Ledger& ledger_;
  ServerTasks& tasks_;
  EventLog& events_;
  boost::asio::steady_timer drain_timer_;
  std::list<Draining> draining_;  // in the order of their coming
  std::optional<UnloadOrder> unloading_;
  bool polling_ = false;
  bool again_ = false;
};

}  // namespace llamavisor
