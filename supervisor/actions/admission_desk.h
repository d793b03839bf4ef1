// Where every inference request asks for its model before it is relayed.
//
// A request whose model is resident with an open gate is served at once (try_now). All others wait here, in
// the order of their coming. The desk negotiates for one absent model at a time:
//
//   resolve    which blob is the name (worker)            -> unknown name: relay, Ollama answers 404
//   size       the context policy picks num_ctx, the forecast says how many bytes
//   decide     policy/admission on a snapshot             -> admit | evict, decide again
//                                                            | drain busy models, decide again | refuse
//   reserve    the bytes are the model's; it is loading, its gate is open, all who wait for it are served
//
// One at a time makes the order fair: a model that waits for a busy one is not overtaken by smaller loads.
// Requests for resident models are never held up by a negotiation. A resident model that must be loaded
// again with another num_ctx goes through the same negotiation, its old residency unloaded before the new
// one is reserved. A request waits at most `admission_wait`, then it is refused with what it waited for.
//
// Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "actions/executor.h"
#include "actions/server_tasks.h"
#include "config/settings.h"
#include "ledger/ledger.h"
#include "policy/admission.h"
#include "policy/engine.h"

namespace llamavisor {

// What the gateway could read of a request.
struct Ask {
  std::string model;                  // canonical
  bool native = true;                 // false: a route that carries neither num_ctx nor keep_alive
  std::optional<std::uint32_t> wish;  // options.num_ctx
};

struct Granted {
  Lease lease;
  std::optional<std::uint32_t> num_ctx;  // to be put into the request; absent: leave it as it is
  std::optional<KeepAlive> keep_alive;   // the same
};
struct Denied {
  unsigned http_status = 503;
  std::string message;
  std::optional<std::chrono::seconds> retry_after;  // absent: trying again cannot help
};
struct Unknown {        // relay as it is: not a model of ours, or not readable
  Ledger::Guest guest;  // set in the second case
};
using Verdict = std::variant<Granted, Denied, Unknown>;

class AdmissionDesk {
 public:
  struct Waiting;
  // Held by the request that waits, not longer than the desk lives; destroying it gives the place up.
  using Ticket = std::shared_ptr<Waiting>;
  using Answer = std::function<void(Verdict)>;

  struct Parts {
    boost::asio::io_context& io;
    const Clock& clock;
    Ledger& ledger;
    PolicyEngine& engine;
    Executor& executor;
    ServerTasks& tasks;
    EventLog& events;
  };
  explicit AdmissionDesk(Parts parts);

  // Live settings; called again on each reload. `limit_bytes` is the resolved memory.limit.
  void configure(const Settings& settings, std::uint64_t limit_bytes, std::uint32_t default_num_ctx);
  [[nodiscard]] std::uint64_t limit_bytes() const { return limit_bytes_; }
  [[nodiscard]] std::uint32_t default_num_ctx() const { return default_num_ctx_; }

  // For a request that would load a model that the gateway could not read.
  [[nodiscard]] Verdict unread() const { return Unknown{p_.ledger.guest()}; }
  // Absent: the request must wait.
  [[nodiscard]] std::optional<Verdict> try_now(const Ask& ask);
  // `answer` is called once, never from within this call, and not after the ticket died.
  [[nodiscard]] Ticket wait(Ask ask, Answer answer);

  // The ledger changed: the executor may go on, and somebody who waits may be served.
  void pump();
  // Names may mean other blobs now.
  void forget_names() { names_.clear(); }
  // It is resident, and the owner has set a keep_alive for it, so the client's does not count.
  [[nodiscard]] bool keeps(const std::string& model) const {
    return rule_for(settings_, model).keep_alive.has_value() && p_.ledger.find(model) != nullptr;
  }
  // [context] overflow
  [[nodiscard]] const std::string& overflow_mode() const { return settings_.context.overflow; }
  // The prompt of a granted request was longer than the context of its model; the sentence says what came of
  // it.
  void overflowed(const Lease& lease, std::string sentence);
  // A load was answered: what the route could not say is set now.
  void loaded(const Residency& residency);
  // A fresh look at the server arrived; the last one is kept for the decisions.
  void seen(const Observation& seen, SteadyTime looked_at);
  [[nodiscard]] const MemorySample* sample() const { return sample_ ? &*sample_ : nullptr; }
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t waiting_for(const std::string& model) const;
  [[nodiscard]] Snapshot snapshot() const { return p_.ledger.snapshot(limit_bytes_, sample()); }

  struct Waiting {
    Ask ask;
    Answer answer;
    SteadyTime since{};
    std::optional<Verdict> verdict;
  };

 private:
  struct Name {  // what a name stands for; absent model: no manifest of that name
    std::optional<InstalledModel> model;
    SteadyTime looked_up{};
  };
  struct Negotiation {
    InstalledModel model;
    bool native = true;
    std::uint32_t num_ctx = 0;
    Forecast forecast;
    bool looked = false;             // a fresh look was taken
    bool waits_for_change = false;   // models on their way out make the room
    std::shared_ptr<Residency> old;  // set: a resize
  };

  // names and what they mean
  const Name* known(const std::string& name) const;
  void resolve(const std::string& name);
  [[nodiscard]] std::shared_ptr<Residency> residency_of(const Ask& ask, const Name& name) const;
  [[nodiscard]] std::uint32_t default_for(const InstalledModel* model) const;
  [[nodiscard]] std::optional<std::uint32_t> wish_of(const Ask& ask, const InstalledModel* model) const;
  [[nodiscard]] bool must_resize(const Ask& ask, const Name& name, const Residency& residency) const;
  Granted grant(const Ask& ask, const Name& name, const std::shared_ptr<Residency>& residency);

  // waiting
  void schedule_pump();
  void serve(const Ticket& ticket, Verdict verdict);
  void expire();
  void arm_expiry();
  [[nodiscard]] bool anyone_waits_for(const std::string& name) const;
  [[nodiscard]] std::chrono::milliseconds longest_wait_left() const;

  // the negotiation, step by step
  void start(const Ask& ask, const Name& name);
  void size(const Ask& ask);
  void decide();
  void decide_ranked(const Snapshot& then, std::vector<RankedVictim> ranked);
  [[nodiscard]] AdmissionQuestion question() const;
  [[nodiscard]] Snapshot snapshot_without_old() const;
  void look_then_decide();
  void evict_then_decide(const Snapshot& snapshot, const EvictFirst& first);
  void drain_then_decide(const Snapshot& snapshot, const DrainFirst& first);
  [[nodiscard]] UnloadOrder order_for(const std::string& key, std::string why,
                                      std::chrono::milliseconds drain_timeout) const;
  void unload_all(std::vector<UnloadOrder> orders);
  void admit();
  void reserve();
  void refuse(const Refuse& refusal);
  void end_negotiation();
  [[nodiscard]] bool abandoned() const;  // nobody waits for the model any more

  Parts p_;
  Settings settings_;
  std::uint64_t limit_bytes_ = 0;
  std::uint32_t default_num_ctx_ = 0;
  std::map<std::string, Name> names_;
  std::set<std::string> resolving_;
  std::list<std::weak_ptr<Waiting>> waiting_;
  std::optional<Negotiation> negotiation_;
  std::optional<MemorySample> sample_;
  bool pump_scheduled_ = false;
  boost::asio::steady_timer expiry_;
};

}  // namespace llamavisor
