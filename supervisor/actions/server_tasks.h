// The blocking work that admission and eviction need from the server, the manifests and /proc.
// Thread: called on the io thread; the work runs on a worker; `done` is called once, on the io thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "config/settings.h"
#include "domain/model.h"
#include "ledger/reconcile.h"

namespace llamavisor {

struct UnloadJob {
  std::string name;
  std::string blob_digest;             // empty: unknown, then only /api/ps can confirm
  std::optional<RunnerSample> runner;  // as last seen
  std::chrono::milliseconds timeout{10'000};
  bool may_end_runner = true;  // at the deadline
};

struct UnloadOutcome {
  std::optional<std::uint64_t> freed_bytes;  // the runner's footprint just before its end
  std::optional<std::uint64_t> available_bytes;
  bool runner_killed = false;  // it outlived the deadline and was ended by us
  std::string sentence{};      // of the event that told it; set by the executor
};

class ServerTasks {
 public:
  ServerTasks() = default;
  ServerTasks(const ServerTasks&) = delete;
  ServerTasks& operator=(const ServerTasks&) = delete;
  virtual ~ServerTasks() = default;

  // A fresh look at processes and /api/ps; `looked_at` is when it began.
  virtual void look(std::function<void(Observation, SteadyTime looked_at)> done) = 0;
  // Absent: no such model installed. An error: the manifests could not be read.
  virtual void resolve(const std::string& name,
                       std::function<void(Result<std::optional<InstalledModel>>)> done) = 0;
  // Asks the server to unload and waits until the runner is gone and /api/ps is clear of it; ends that one
  // runner at the deadline, if it may. An error: it is still there.
  virtual void unload(const UnloadJob& job, std::function<void(Result<UnloadOutcome>)> done) = 0;
  // Sets the keep_alive of a loaded model without generating anything.
  virtual void set_keep_alive(const std::string& name, std::optional<std::uint32_t> num_ctx,
                              const KeepAlive& keep_alive) = 0;
  // Pure and quick.
  [[nodiscard]] virtual Forecast forecast(const InstalledModel& model, std::uint32_t num_ctx) const = 0;
};

}  // namespace llamavisor
