// ServerProcess: what happens when the process has ended, whoever wanted it.
#include <boost/asio/steady_timer.hpp>
#include <csignal>

#include "base/log.h"
#include "base/units.h"
#include "ollama/process_group.h"
#include "ollama/server_process.h"

namespace llamavisor {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGroupCheck{20};
constexpr int kGroupChecks = 500;  // 10 s: a runner with many GB takes its time to give them back
constexpr std::size_t kLinesLookedAt = 400;

}  // namespace

void ServerProcess::watch_child() {
  child_->pidfd.async_wait(boost::asio::posix::descriptor_base::wait_read,
                           [alive = std::weak_ptr<int>(alive_), this](boost::system::error_code ec) {
                             if (!ec && !alive.expired() && child_) {
                               on_child_ended();
                             }
                           });
}

void ServerProcess::on_child_ended() {
  const int pidfd = child_->pidfd.native_handle();
  if (!has_exited(pidfd)) {
    watch_child();
    return;
  }
  readiness_.cancel();
  signal_group(child_->pid, SIGKILL);  // before the reaping frees the group's id
  const ExitStatus status = reap(pidfd).value_or(ExitStatus{});
  child_->reaped = true;
  log_.drain_now();
  if (ending_) {
    ending_->status = status;
    ending_->last_lines = report_exit(status).last_lines;
  } else {
    ending_ = report_exit(status);
  }
  log_.note(ending_->sentence);
  await_empty_group(kGroupChecks);
}

void ServerProcess::await_empty_group(int checks_left) {
  const bool alive = group_is_alive(child_->pid);
  reap_group(child_->pid);  // after the look: who died before it leaves no zombie
  if (!alive) {
    on_group_gone({});
    return;
  }
  if (checks_left == 0) {
    on_group_gone(Error("processes of the server (process group " + std::to_string(child_->pid) +
                            ") do not end after SIGKILL",
                        "look at them with: ps -o pid,stat,wchan,cmd -g " + std::to_string(child_->pid)));
    return;
  }
  group_timer_.expires_after(kGroupCheck);
  group_timer_.async_wait(
      [alive = std::weak_ptr<int>(alive_), this, checks_left](boost::system::error_code ec) {
        if (!ec && !alive.expired()) {
          await_empty_group(checks_left - 1);
        }
      });
}

void ServerProcess::on_group_gone(const Result<void>& outcome) {
  child_.reset();
  ExitReport report = std::move(*std::exchange(ending_, std::nullopt));
  if (!outcome) {
    log_warn(outcome.error().text());
  }
  if (state_ == ServerState::stopping) {
    finish_stop(outcome);
  } else if (start_done_) {
    first_start_failed(std::move(report));
  } else {
    schedule_restart(std::move(report));
  }
}

std::vector<std::string> ServerProcess::lines_of_this_life() const {
  const std::uint64_t count = log_.ring().pushed() - child_->first_line;
  std::vector<std::string> lines =
      log_.ring().tail(static_cast<std::size_t>(std::min<std::uint64_t>(count, kLinesLookedAt)));
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("[llamavisor: "); });
  return lines;
}

ExitReport ServerProcess::report_exit(const ExitStatus& status) const {
  return explain_exit({child_->pid, status, ready_since_.has_value(), lines_of_this_life()});
}

void ServerProcess::schedule_restart(ExitReport report) {
  const auto uptime = ready_since_ ? clock_.now() - *ready_since_ : std::chrono::nanoseconds(0);
  failures_ = count_failure(failures_, std::chrono::duration_cast<milliseconds>(uptime));
  ready_since_.reset();
  const double jitter = std::uniform_real_distribution<double>(0, 1)(random_);
  const milliseconds delay = restart_delay(plan_.restart, failures_, jitter);
  last_failure_ = std::move(report);
  log_.note("next start in " + format_duration(delay));
  next_start_ = clock_.now() + delay;
  timer_.expires_after(delay);
  set_state(ServerState::backoff);
  if (state_ == ServerState::backoff) {  // the listener may have stopped us
    timer_.async_wait(in_this_state([this] { on_restart_due(); }));
  }
}

void ServerProcess::on_restart_due() {
  ++restarts_;
  if (const auto launched = launch(true); !launched) {
    schedule_restart(explain_no_start(launched.error()));
    return;
  }
  set_state(ServerState::starting);
}

}  // namespace llamavisor
