#include "ollama/server_process.h"

#include <poll.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>

#include "base/log.h"
#include "base/units.h"
#include "ollama/free_port.h"
#include "ollama/process_group.h"

namespace llamavisor {
namespace {

using std::chrono::milliseconds;

constexpr int kPortTries = 3;
constexpr milliseconds kLastWait{1'000};

}  // namespace

const char* to_string(ServerState state) {
  switch (state) {
    case ServerState::stopped:
      return "stopped";
    case ServerState::starting:
      return "starting";
    case ServerState::ready:
      return "ready";
    case ServerState::backoff:
      return "backoff";
    case ServerState::stopping:
      return "stopping";
  }
  return "?";
}

ServerProcess::ServerProcess(boost::asio::io_context& io, boost::asio::thread_pool& workers,
                             const Clock& clock, LogPump& log, LaunchPlanner planner)
    : io_(io),
      clock_(clock),
      log_(log),
      planner_(std::move(planner)),
      readiness_(io, workers),
      timer_(io),
      group_timer_(io) {}

ServerProcess::~ServerProcess() {
  if (child_ && !child_->reaped) {
    signal_group(child_->pid, SIGKILL);
    pollfd ended{child_->pidfd.native_handle(), POLLIN, 0};
    ::poll(&ended, 1, static_cast<int>(kLastWait.count()));
    if (reap(child_->pidfd.native_handle())) {
      reap_group(child_->pid);
    }
  }
}

std::optional<pid_t> ServerProcess::pid() const {
  return child_ && !child_->reaped ? std::optional(child_->pid) : std::nullopt;
}

std::optional<std::uint16_t> ServerProcess::port() const {
  return state_ == ServerState::ready ? std::optional(port_) : std::nullopt;
}

std::optional<SteadyTime> ServerProcess::ready_since() const {
  return state_ == ServerState::ready ? ready_since_ : std::nullopt;
}

std::optional<SteadyTime> ServerProcess::next_start() const {
  return state_ == ServerState::backoff ? next_start_ : std::nullopt;
}

void ServerProcess::set_state(ServerState state) {
  if (state == state_) {
    return;
  }
  state_ = state;
  ++epoch_;
  if (listener_) {
    listener_(state);
  }
}

// --- start ---------------------------------------------------------------------------------------------

void ServerProcess::start(Done done) {
  if (state_ != ServerState::stopped) {
    boost::asio::post(io_, [done = std::move(done), state = state_] {
      done(Error(std::string("the server cannot be started: it is ") + to_string(state)));
    });
    return;
  }
  start_done_ = std::move(done);
  failures_ = 0;
  port_tries_ = 1;
  if (const auto launched = launch(false); !launched) {
    first_start_failed(explain_no_start(launched.error()));
    return;
  }
  set_state(ServerState::starting);
}

Result<void> ServerProcess::launch(bool automatic_restart) {
  const auto port = free_loopback_port();
  if (!port) {
    return port.error();
  }
  auto plan = planner_(*port, automatic_restart);
  if (!plan) {
    return plan.error();
  }
  plan_ = std::move(*plan);
  auto spawned = spawn_child({plan_.executable, plan_.arguments, plan_.environment});
  if (!spawned) {
    return spawned.error();
  }
  port_ = *port;
  ending_.reset();
  ready_since_.reset();
  child_.emplace(Child{spawned->pid, boost::asio::posix::stream_descriptor(io_, spawned->pidfd.release()),
                       log_.ring().pushed()});
  log_.attach(std::move(spawned->out), std::move(spawned->err));
  log_.note("started " + plan_.executable + ", pid " + std::to_string(child_->pid));
  watch_child();
  readiness_.watch(port_, plan_.ready_timeout, [this](const auto& version) { on_probed(version); });
  return {};
}

void ServerProcess::on_probed(const Result<std::string>& version) {
  if (version) {
    version_ = *version;
    ready_since_ = clock_.now();
    port_tries_ = 0;
    answer_start({});
    set_state(ServerState::ready);
    return;
  }
  ExitReport report;
  report.reason = ExitReason::unready;
  report.sentence = "ollama serve (pid " + std::to_string(child_->pid) +
                    ") did not become ready: " + version.error().message;
  report.hint = "is " + plan_.executable + " Ollama? On a slow machine raise [server] ready_timeout";
  ending_ = std::move(report);
  signal_group(child_->pid, SIGKILL);
}

void ServerProcess::first_start_failed(ExitReport report) {
  if (report.reason == ExitReason::port_taken && port_tries_ < kPortTries) {
    ++port_tries_;
    const auto launched = launch(false);
    if (launched) {
      return;  // still starting
    }
    report = explain_no_start(launched.error());
  }
  last_failure_ = std::move(report);
  answer_start(last_failure_->error());
  set_state(ServerState::stopped);
}

void ServerProcess::answer_start(const Result<void>& outcome) {
  if (start_done_) {
    boost::asio::post(io_, [done = std::exchange(start_done_, nullptr), outcome] { done(outcome); });
  }
}

// --- stop ----------------------------------------------------------------------------------------------

void ServerProcess::stop(Done done) {
  stop_done_.push_back(std::move(done));
  switch (state_) {
    case ServerState::stopped:
    case ServerState::backoff:
      timer_.cancel();
      finish_stop({});
      return;
    case ServerState::stopping:
      on_stop_timeout();
      return;
    case ServerState::starting:
    case ServerState::ready:
      readiness_.cancel();
      answer_start(Error("the server was stopped before it was ready"));
      send_signal(child_->pidfd.native_handle(), SIGTERM);
      set_state(ServerState::stopping);
      timer_.expires_after(plan_.stop_timeout);
      timer_.async_wait(in_this_state([this] {
        log_warn("the server did not end within " + format_duration(plan_.stop_timeout) +
                 " after SIGTERM; it is killed");
        on_stop_timeout();
      }));
      return;
  }
}

void ServerProcess::on_stop_timeout() {
  if (child_ && !child_->reaped) {
    signal_group(child_->pid, SIGKILL);
  }
}

void ServerProcess::finish_stop(const Result<void>& outcome) {
  timer_.cancel();
  ready_since_.reset();
  for (Done& done : std::exchange(stop_done_, {})) {
    boost::asio::post(io_, [done = std::move(done), outcome] { done(outcome); });
  }
  set_state(ServerState::stopped);
}

}  // namespace llamavisor
