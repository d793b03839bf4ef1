// Who makes room for a load in a replay: the core with a policy plugin, or Ollama's own scheduler.
// Thread: the replay's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "policy/admission.h"
#include "policy/engine.h"

namespace llamavisor {

class Room {
 public:
  Room() = default;
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  virtual ~Room() = default;

  virtual Result<AdmissionDecision> decide(const AdmissionQuestion& question, const Snapshot& snapshot) = 0;
  // EvictFirst makes the whole room: the load begins after it without another question.
  [[nodiscard]] virtual bool evicts_enough() const { return false; }
  // A request for the model came, with the keep_alive that it carries.
  virtual void used(const std::string& /*model*/, std::optional<std::chrono::milliseconds> /*keep_alive*/) {}
  // The model was unloaded.
  virtual void gone(const std::string& /*model*/) {}
  // When due() is to be asked next; absent: not before something else happens.
  [[nodiscard]] virtual std::optional<SteadyTime> next_due(const Ledger& /*ledger*/,
                                                           SteadyTime /*now*/) const {
    return std::nullopt;
  }
  // Idle models that go now though nobody needs the room.
  virtual Result<std::vector<RankedVictim>> due(const Snapshot& /*snapshot*/) {
    return std::vector<RankedVictim>{};
  }
};

// The shipped decision: policy/engine ranks, policy/admission takes what is needed, the owner's rules and the
// anti-thrash of ledger and policy/order hold. `policy` must answer within the call
// (PluginHost::call_inline); null: the built-in lru. A policy that fails or is overruled is an error: its
// replay would be the fallback's.
std::unique_ptr<Room> make_policy_room(std::shared_ptr<EvictionPolicy> policy);

struct OllamaRules {
  std::chrono::milliseconds keep_alive{std::chrono::minutes(5)};  // negative: for ever
  std::size_t max_models = 3;                                     // 0: any number
  bool checks_memory = true;                                      // false: 0.30 and newer without a GPU
};

// server/sched.go: an idle model goes when its keep_alive has run out. When there are max_models, or the next
// one does not fit, then one goes after another: idle ones first, among them the one with the shortest
// keep_alive, then the one whose blob's path comes first. While none is idle, that one of the busy models is
// waited for. keep_alive sticks to a loaded model until a request carries another.
std::unique_ptr<Room> make_ollama_room(const OllamaRules& rules, std::map<std::string, std::string> blob_of);

}  // namespace llamavisor
