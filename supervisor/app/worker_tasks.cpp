#include "app/worker_tasks.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "base/log.h"
#include "memory/proc_reader.h"
#include "ollama/client.h"
#include "ollama/process_group.h"
#include "ollama/run_on_worker.h"

namespace llamavisor {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kPsLimit{3'000};
constexpr milliseconds kCallLimit{5'000};
constexpr milliseconds kAfterKill{2'000};

struct Look {
  Observation seen;
  SteadyTime at{};
  std::string ps_error;
};

std::vector<ObservedModel> with_blobs(const std::vector<LoadedModel>& loaded, ModelStore& models) {
  std::vector<ObservedModel> out;
  for (const LoadedModel& entry : loaded) {
    ObservedModel model;
    model.name = entry.name;
    model.size_bytes = entry.size_bytes;
    model.vram_bytes = entry.vram_bytes;
    model.num_ctx = entry.num_ctx;
    model.expires_at = entry.expires_at;
    if (const auto installed = models.resolve(entry.name); installed && *installed) {
      model.blob_digest = (*installed)->blob_digest;
    }
    out.push_back(std::move(model));
  }
  return out;
}

void name_blobs(Observation& seen, ModelStore& models) {
  for (const RunnerSample& runner : seen.sample.runners) {
    const auto names =
        runner.blob_digest.empty() ? std::vector<std::string>() : models.names_for_blob(runner.blob_digest);
    if (!names.empty()) {
      seen.name_of_blob[runner.blob_digest] = names.front();
    }
  }
}

Look look_at(const Clock& clock, std::optional<int> server_pid, std::optional<std::uint16_t> port,
             ModelStore& models) {
  Look out;
  out.at = clock.now();
  out.seen.sample = take_sample(ProcReader(), clock, server_pid);
  if (port) {
    const auto loaded = OllamaClient(*port).ps(kPsLimit);
    if (loaded) {
      out.seen.loaded = with_blobs(*loaded, models);
    } else {
      out.ps_error = loaded.error().text();
    }
  }
  name_blobs(out.seen, models);
  return out;
}

// A handle on exactly that process; empty when it is gone (or its pid is another's by now).
UniqueFd open_process(const RunnerSample& runner) {
  UniqueFd fd = open_pidfd(runner.pid);
  return fd && process_is(runner.pid, runner.start_ticks) ? std::move(fd) : UniqueFd();
}

bool wait_gone(const UniqueFd& process, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  pollfd wanted{process.get(), POLLIN, 0};
  int ready = process ? -1 : 1;
  while (ready < 0) {
    const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    ready = poll(&wanted, 1, static_cast<int>(std::max(left, milliseconds(0)).count()));
    if (ready < 0 && errno != EINTR) {
      return false;
    }
  }
  return ready > 0;
}

bool listed(std::uint16_t port, const std::string& name) {
  const auto loaded = OllamaClient(port).ps(kPsLimit);
  if (!loaded) {
    return false;  // the process's end has to do
  }
  for (const LoadedModel& model : *loaded) {
    if (model.name == name) {
      return true;
    }
  }
  return false;
}

bool wait_unlisted(std::uint16_t port, const std::string& name, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  milliseconds pause{20};
  while (listed(port, name)) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, milliseconds(500));
  }
  return true;
}

std::optional<RunnerSample> find_runner(const UnloadJob& job, const Clock& clock,
                                        std::optional<int> server_pid) {
  if (job.blob_digest.empty()) {
    return job.runner;
  }
  for (const RunnerSample& runner : take_sample(ProcReader(), clock, server_pid).runners) {
    if (runner.blob_digest == job.blob_digest) {
      return runner;
    }
  }
  return std::nullopt;
}

// The server finds what to unload by a name. The one that loaded it can mean another blob by now (a pull has
// replaced the model); then another name of the blob does, or, without any, the process is ended. An
// unreadable manifest changes nothing.
std::optional<std::string> name_to_unload(const UnloadJob& job, ModelStore& models) {
  if (job.blob_digest.empty()) {
    return job.name;
  }
  const auto now = models.resolve(job.name);
  if (!now || (*now && (*now)->blob_digest == job.blob_digest)) {
    return job.name;
  }
  const auto names = models.names_for_blob(job.blob_digest);
  return names.empty() ? std::nullopt : std::optional(names.front());
}

// Unload, wait for the process's end first (polling /api/ps around an unload can crash old servers), then
// for the listing. At the deadline that one process is ended, and the server told again so that it notices.
Result<UnloadOutcome> unload_and_confirm(const UnloadJob& job, ModelStore& models, const Clock& clock,
                                         std::optional<int> server_pid, std::uint16_t port) {
  UnloadOutcome out;
  const OllamaClient client(port);
  const auto name = name_to_unload(job, models);
  const auto runner = find_runner(job, clock, server_pid);
  const UniqueFd process = runner ? open_process(*runner) : UniqueFd();
  if (runner) {
    out.freed_bytes = runner->footprint_bytes;
  }
  const Result<void> asked =
      name ? client.unload(*name, std::min(job.timeout, kCallLimit)) : Error("its blob has no name any more");
  if (!asked) {
    log_warn("unload of " + job.name + ": " + asked.error().text());
  }
  const milliseconds patience = name ? job.timeout : milliseconds(0);
  bool gone = runner ? wait_gone(process, patience) : wait_unlisted(port, job.name, patience);
  if (!gone && process && job.may_end_runner) {
    send_signal(process.get(), SIGKILL);
    out.runner_killed = gone = wait_gone(process, kAfterKill);
    if (name) {
      static_cast<void>(client.unload(*name, kCallLimit));
    }
  }
  if (!gone) {
    return Error(job.name + " is still loaded" + (asked ? "" : ": " + asked.error().text()));
  }
  if (name) {
    wait_unlisted(port, *name, kAfterKill);
  }
  out.available_bytes = read_available_bytes(ProcReader());
  return out;
}

}  // namespace

WorkerTasks::WorkerTasks(boost::asio::io_context& io, boost::asio::thread_pool& workers, const Clock& clock,
                         const ServerProcess& server, const std::string& models_dir)
    : io_(io),
      workers_(workers),
      clock_(clock),
      server_(server),
      models_(std::make_shared<ModelStore>(models_dir)) {}

void WorkerTasks::configure(const Settings& settings) {
  forecast_settings_ = forecast_settings(settings.server);
}

void WorkerTasks::look(std::function<void(Observation, SteadyTime)> done) {
  run_on_worker(
      workers_, io_,
      [this, pid = server_.pid(), port = server_.port(), models = models_] {
        return look_at(clock_, pid, port, *models);
      },
      [this, done = std::move(done)](Look look) {
        if (look.ps_error != ps_error_) {
          log_warn(look.ps_error.empty() ? "/api/ps answers again"
                                         : "/api/ps: " + look.ps_error + "; going by the processes");
          ps_error_ = look.ps_error;
        }
        done(std::move(look.seen), look.at);
      });
}

void WorkerTasks::resolve(const std::string& name,
                          std::function<void(Result<std::optional<InstalledModel>>)> done) {
  run_on_worker(
      workers_, io_, [name, models = models_] { return models->resolve(name); }, std::move(done));
}

void WorkerTasks::unload(const UnloadJob& job, std::function<void(Result<UnloadOutcome>)> done) {
  const auto port = server_.port();
  if (!port) {
    boost::asio::post(io_, [done = std::move(done)] { done(UnloadOutcome{}); });  // it went with the server
    return;
  }
  run_on_worker(
      workers_, io_,
      [this, job, pid = server_.pid(), port = *port, models = models_] {
        return unload_and_confirm(job, *models, clock_, pid, port);
      },
      std::move(done));
}

void WorkerTasks::set_keep_alive(const std::string& name, std::optional<std::uint32_t> num_ctx,
                                 const KeepAlive& keep_alive) {
  const auto port = server_.port();
  if (!port) {
    return;
  }
  run_on_worker(
      workers_, io_,
      [name, num_ctx, keep_alive, port = *port] {
        return OllamaClient(port).touch(name, keep_alive, num_ctx, kCallLimit);
      },
      [name](const Result<void>& outcome) {
        if (!outcome) {
          log_warn("keep_alive of " + name + " could not be set: " + outcome.error().text());
        }
      });
}

Forecast WorkerTasks::forecast(const InstalledModel& model, std::uint32_t num_ctx) const {
  ForecastSettings settings = forecast_settings_;
  settings.era = server_era(server_.version());
  return forecast_load(model, num_ctx, settings);
}

}  // namespace llamavisor
