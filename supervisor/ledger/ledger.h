// Who is resident, in flight, last used: the one truth that admission and eviction read.
//
// A residency is one runner of Ollama, from the admission of its load to its confirmed end:
//
//   (absent) --reserve--> loading --first answer--> ready --close_gate--> draining --unload--> unloading
//       ^                    |                        ^                      |                    |
//       |                    |                        +----open_gate---------+                    |
//       +----load failed-----+                                                                    |
//       +--------------------------------------- remove ------------------------------------------+
//
// loading and ready have an open gate: requests may take a lease. draining and unloading have a closed
// one: requests wait at the admission desk. A residency with a lease is busy and is never unloaded.
// Its charge, max(forecast, measured footprint), counts against the budget in every state.
//
// Thread: io thread only.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/settings.h"
#include "domain/answer_facts.h"
#include "domain/memory_sample.h"
#include "domain/snapshot.h"
#include "ledger/past.h"

namespace llamavisor {

struct Residency {
  std::string key;   // blob digest; the canonical name when the blob is unknown
  std::string name;  // canonical name that loaded it
  ResidencyState state = ResidencyState::loading;
  std::uint64_t forecast_bytes = 0;
  std::optional<std::uint64_t> footprint_bytes;
  std::optional<std::uint64_t> vram_bytes;
  std::optional<std::uint32_t> num_ctx;  // the value that Ollama compares: what was asked for at load
  bool grow_refused = false;             // a larger num_ctx did not fit: not tried again for this residency
  bool keep_alive_due = false;           // loaded by a route that carries no keep_alive: the owner's is owed
  std::uint32_t in_flight = 0;
  std::uint64_t use_count = 0;
  SteadyTime last_used{};
  SteadyTime loaded{};
  std::optional<std::chrono::nanoseconds> load_duration;
  std::optional<WallTime> expires_at;  // as /api/ps says it; stale while busy
  std::optional<RunnerSample> runner;

  [[nodiscard]] std::uint64_t charge_bytes() const {
    return std::max(forecast_bytes, footprint_bytes.value_or(0));
  }
  [[nodiscard]] bool gate_open() const {
    return state == ResidencyState::loading || state == ResidencyState::ready;
  }
};

class Ledger;

// One request's use of a model, told at its end.
struct Use {
  SteadyTime began{};
  bool answered = false;  // with success
  bool loaded = false;    // it was the one that loaded the model
  AnswerFacts facts;
};

// One request's hold on a residency. Ends with its destruction, on the io thread, before the ledger's.
class Lease {
 public:
  Lease() = default;
  Lease(Ledger& ledger, std::shared_ptr<Residency> residency);
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { release(); }

  [[nodiscard]] explicit operator bool() const { return residency_ != nullptr; }
  [[nodiscard]] const Residency& residency() const { return *residency_; }
  // The server answered this request with success: what was loading is ready.
  void answered();
  // What the answer said; told with the use when the lease ends.
  void note(const AnswerFacts& facts) { use_.facts = facts; }
  void release();

 private:
  Ledger* ledger_ = nullptr;
  std::shared_ptr<Residency> residency_;
  Use use_;
};

class Ledger {
 public:
  explicit Ledger(const Clock& clock) : clock_(clock) {}

  // By the name that loaded it; other names of one blob are found by find_key(blob digest). Null: absent.
  [[nodiscard]] std::shared_ptr<Residency> find(const std::string& canonical_name) const;
  [[nodiscard]] std::shared_ptr<Residency> find_key(const std::string& key) const;
  [[nodiscard]] const std::map<std::string, std::shared_ptr<Residency>>& all() const { return by_key_; }

  // Reserves the forecast for a load that was admitted. `key` must not be resident.
  std::shared_ptr<Residency> reserve(const std::string& key, const std::string& name,
                                     std::uint64_t forecast_bytes, std::optional<std::uint32_t> num_ctx);
  void remove(const std::string& key);
  // To be called before remove() when a policy chose it: a quick return will be held against evicting it.
  void note_evicted(const Residency& residency);
  // A prompt was longer than the model's context; counted over its residencies.
  void note_overflow(const Residency& residency) { past_[residency.key].overflowed(); }
  [[nodiscard]] std::uint64_t overflows(const Residency& residency) const;
  void set_thrash_window(std::chrono::milliseconds window) { thrash_window_ = window; }
  // Mean of the measured loads of a resident model; absent: none was measured.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> reload(const Residency& residency) const;
  // True when a look that began at `when` may still show what was removed meanwhile.
  [[nodiscard]] bool removed_since(const std::string& key, SteadyTime when) const;

  [[nodiscard]] Lease lease(const std::shared_ptr<Residency>& residency) { return {*this, residency}; }
  void set_state(Residency& residency, ResidencyState state);

  // Held while a request is relayed whose model could not be read: any model may be busy with it, so no
  // runner is ended meanwhile.
  using Guest = std::shared_ptr<const bool>;
  [[nodiscard]] Guest guest() const { return guest_; }
  [[nodiscard]] bool has_guests() const { return guest_.use_count() > 1; }

  [[nodiscard]] std::uint64_t used_bytes() const;
  // Limit and memory are the caller's; `sample` may be null.
  [[nodiscard]] Snapshot snapshot(std::uint64_t limit_bytes, const MemorySample* sample) const;

  // The owner's rule for a name is the settings' word, asked anew at each snapshot.
  void set_rules(std::function<ModelRule(const std::string&)> rules) { rules_ = std::move(rules); }
  [[nodiscard]] bool pinned(const Residency& residency) const;

  // Called after a lease ended, a residency became ready, or one was removed.
  void on_change(std::function<void()> callback) { on_change_ = std::move(callback); }
  // Called when a load's last request ended without an answer: it may have failed.
  void on_doubt(std::function<void()> callback) { on_doubt_ = std::move(callback); }
  void on_ready(std::function<void(const Residency&)> callback) { on_ready_ = std::move(callback); }
  // Called when a request has ended, after the model's own counts were updated.
  void on_used(std::function<void(const Residency&, const Use&)> callback) { on_used_ = std::move(callback); }
  // Called when a request takes a model.
  void on_use(std::function<void(const Residency&)> callback) { on_use_ = std::move(callback); }

 private:
  friend class Lease;
  void begin_use(Residency& residency);
  void end_use(Residency& residency, const Use& use);
  void note_answer(Residency& residency);
  void changed();
  [[nodiscard]] ModelView view(const Residency& residency) const;

  const Clock& clock_;
  Guest guest_ = std::make_shared<const bool>(true);
  std::map<std::string, std::shared_ptr<Residency>> by_key_;
  std::map<std::string, std::shared_ptr<Residency>> by_name_;
  std::map<std::string, SteadyTime> removed_at_;  // one entry a blob ever loaded: as many as models exist
  std::map<std::string, Past> past_;              // the same
  std::chrono::milliseconds thrash_window_{0};
  std::function<ModelRule(const std::string&)> rules_;
  std::function<void()> on_change_;
  std::function<void()> on_doubt_;
  std::function<void(const Residency&)> on_ready_;
  std::function<void(const Residency&)> on_use_;
  std::function<void(const Residency&, const Use&)> on_used_;
};

}  // namespace llamavisor
