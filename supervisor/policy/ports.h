// The roles that plugins fill, as the rest of the program sees them.
// Thread: functions are called on the io thread and must not block; `done` is called once, on the io
// thread, within the policy deadline (an adapter that overruns it answers with an error).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/event.h"
#include "domain/model.h"
#include "domain/snapshot.h"

namespace llamavisor {

class PolicyPort {
 public:
  PolicyPort() = default;
  PolicyPort(const PolicyPort&) = delete;
  PolicyPort& operator=(const PolicyPort&) = delete;
  virtual ~PolicyPort() = default;
  [[nodiscard]] virtual std::string id() const = 0;
};

class EvictionPolicy : public PolicyPort {
 public:
  using Done = std::function<void(Result<std::vector<RankedVictim>>)>;
  // Ranks what it would evict to free `need_bytes`, best victim first. It may rank more than is needed.
  virtual void rank(const Snapshot& snapshot, std::uint64_t need_bytes, Done done) = 0;
  // It unloads models on its own account, when memory is not short: due() is worth asking.
  [[nodiscard]] virtual bool acts_unasked() const { return false; }
  // Models that should go now, whatever the memory.
  virtual void due(const Snapshot& /*snapshot*/, Done done) {
    const auto answer = std::move(done);
    answer(std::vector<RankedVictim>{});
  }
};

struct ContextQuestion {
  InstalledModel model;
  std::optional<std::uint32_t> wish;  // options.num_ctx of the client
  std::uint32_t default_num_ctx = 0;  // what Ollama would take without a wish
  std::optional<std::uint64_t> kv_bytes_per_token;
  std::uint64_t room_bytes = 0;  // limit minus what is in use and could not be evicted
};

struct ContextChoice {
  std::uint32_t num_ctx = 0;
  std::string reason;
};

class ContextPolicy : public PolicyPort {
 public:
  using Done = std::function<void(Result<ContextChoice>)>;
  virtual void choose(const Snapshot& snapshot, const ContextQuestion& question, Done done) = 0;
};

class Notifier : public PolicyPort {
 public:
  using Done = std::function<void(Result<void>)>;
  // `done` comes within the notify deadline; deliveries to one notifier never overlap.
  virtual void notify(const Event& event, Done done) = 0;
};

}  // namespace llamavisor
