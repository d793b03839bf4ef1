// Owns the one `ollama serve` process: starts it, knows when it is ready, starts it again when it dies, and
// leaves no process of its group behind.
//
// States, and what leads from one to the next:
//   stopped  --start()-->                     starting
//   starting --200 on GET /api/version-->     ready
//   starting --died or not ready in time-->   stopped when it was the first start: the caller is told why
//                                             (a private port that somebody took meanwhile: another is tried)
//                                             backoff when it was a restart
//   ready    --the process ended-->           backoff
//   backoff  --the delay of restart_policy--> starting
//   backoff  --stop()-->                      stopped
//   starting, ready --stop()-->               stopping: SIGTERM to the server, which ends its runners
//   stopping --the process ended-->           stopped; at stop_timeout, or when stop() is called again, the
//                                             whole group gets SIGKILL
// Whenever the process ends, however it ends: first the rest of its group gets SIGKILL (a killed Ollama
// orphans its runners with all their memory) while the dead leader still holds the group's id, then it is
// reaped, and the state is left only when nobody of the group lives.
// The drain before a stop is the gateway's; draining, given-up (too many restarts) and suspended will be
// states of their own here, given-up between backoff and starting.
//
// Thread: io thread only, which must be the main thread (spawn.h). Probes run on the workers.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ollama/exit_report.h"
#include "ollama/launch_plan.h"
#include "ollama/log_pump.h"
#include "ollama/readiness.h"
#include "ollama/spawn.h"

namespace llamavisor {

enum class ServerState { stopped, starting, ready, backoff, stopping };

const char* to_string(ServerState state);

class ServerProcess {
 public:
  using Done = std::function<void(Result<void>)>;

  ServerProcess(boost::asio::io_context& io, boost::asio::thread_pool& workers, const Clock& clock,
                LogPump& log, LaunchPlanner planner);
  ~ServerProcess();  // SIGKILL to whatever lives; stop() is the orderly way
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // `done`: ready, or why the first start failed, with the server's last lines.
  void start(Done done);
  // `done`: no process of the group lives. An error: some still do after SIGKILL (stuck in the kernel).
  // Called again while it stops: SIGKILL now.
  void stop(Done done);

  [[nodiscard]] ServerState state() const { return state_; }
  // Of the current process; absent while there is none.
  [[nodiscard]] std::optional<pid_t> pid() const;
  // The server's port; absent unless it is ready.
  [[nodiscard]] std::optional<std::uint16_t> port() const;
  [[nodiscard]] const std::string& executable() const { return plan_.executable; }
  [[nodiscard]] const std::string& version() const { return version_; }  // of the last ready server
  [[nodiscard]] std::optional<SteadyTime> ready_since() const;
  [[nodiscard]] unsigned restarts() const { return restarts_; }
  // In backoff: when it is started again. For Retry-After.
  [[nodiscard]] std::optional<SteadyTime> next_start() const;
  // Why it ended or failed to start, the last time that nobody wanted it to.
  [[nodiscard]] const std::optional<ExitReport>& last_failure() const { return last_failure_; }

  // Called after each change of state. It may call start() and stop().
  void on_change(std::function<void(ServerState)> listener) { listener_ = std::move(listener); }

 private:
  struct Child {
    pid_t pid = -1;
    boost::asio::posix::stream_descriptor pidfd;
    std::uint64_t first_line = 0;  // of this life, counted as LogRing::pushed does
    bool reaped = false;
  };

  // The listener may start or stop us: always the last thing that a function does.
  void set_state(ServerState state);
  // A handler that does nothing once we are gone or in another state.
  template <class F>
  auto in_this_state(F work) {
    return [alive = std::weak_ptr<int>(alive_), epoch = epoch_, this, work](boost::system::error_code ec) {
      if (!ec && !alive.expired() && epoch == epoch_) {
        work();
      }
    };
  }

  Result<void> launch(bool automatic_restart);
  void watch_child();
  void on_child_ended();
  void on_probed(const Result<std::string>& version);
  void await_empty_group(int checks_left);
  void on_group_gone(const Result<void>& outcome);
  void on_stop_timeout();
  void on_restart_due();
  [[nodiscard]] ExitReport report_exit(const ExitStatus& status) const;
  [[nodiscard]] std::vector<std::string> lines_of_this_life() const;
  void first_start_failed(ExitReport report);
  void schedule_restart(ExitReport report);
  void finish_stop(const Result<void>& outcome);
  void answer_start(const Result<void>& outcome);

  boost::asio::io_context& io_;
  const Clock& clock_;
  LogPump& log_;
  LaunchPlanner planner_;
  Readiness readiness_;
  boost::asio::steady_timer timer_;  // restart delay, stop time-out
  boost::asio::steady_timer group_timer_;

  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::uint64_t epoch_ = 0;  // grows with each change of state
  std::minstd_rand random_{std::random_device{}()};

  ServerState state_ = ServerState::stopped;
  LaunchPlan plan_;
  std::uint16_t port_ = 0;
  std::optional<Child> child_;
  std::optional<ExitReport> ending_;  // why this life ends, once that is known
  std::string version_;
  std::optional<SteadyTime> ready_since_;
  std::optional<SteadyTime> next_start_;
  std::optional<ExitReport> last_failure_;
  unsigned restarts_ = 0;
  unsigned failures_ = 0;  // in a row
  int port_tries_ = 0;     // of the first start
  Done start_done_;        // set: this is the first start
  std::vector<Done> stop_done_;
  std::function<void(ServerState)> listener_;
};

}  // namespace llamavisor
