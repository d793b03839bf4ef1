#include "ollama/process_group.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace llamavisor {
namespace {

int wait_pidfd(int pidfd, siginfo_t& info, int flags) {
  int rc = 0;
  do {
    info = {};
    rc = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | flags);
  } while (rc != 0 && errno == EINTR);
  return rc;
}

// "pid (comm) state ppid pgrp ... num_threads ..."; comm may hold blanks and parentheses. The state is the
// first thread's: it is Z as soon as that one ended, while others still hold the memory.
bool lives_in_group(const std::string& stat, pid_t pgid) {
  const std::size_t end_of_name = stat.rfind(')');
  char state = 0;
  int group = 0;
  int threads = 0;
  return end_of_name != std::string::npos &&
         std::sscanf(stat.c_str() + end_of_name + 1,
                     " %c %*d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d", &state, &group,
                     &threads) == 3 &&
         group == pgid && ((state != 'Z' && state != 'X') || threads > 1);
}

}  // namespace

bool become_subreaper() {
  return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // glibc 2.36 cannot link it from C++
}

bool send_signal(int pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0;
}

bool has_exited(int pidfd) {
  siginfo_t info{};
  return wait_pidfd(pidfd, info, WNOWAIT) == 0 && info.si_pid != 0;
}

std::optional<ExitStatus> reap(int pidfd) {
  siginfo_t info{};
  if (wait_pidfd(pidfd, info, 0) != 0 || info.si_pid == 0) {
    return std::nullopt;
  }
  return ExitStatus{info.si_code != CLD_EXITED, info.si_status};
}

bool signal_group(pid_t pgid, int signal) {
  return ::kill(-pgid, signal) == 0;
}

void reap_group(pid_t pgid) {
  siginfo_t info{};
  do {
    info = {};
  } while (::waitid(P_PGID, static_cast<id_t>(pgid), &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0);
}

bool group_is_alive(pid_t pgid) {
  if (::kill(-pgid, 0) != 0 && errno == ESRCH) {
    return false;
  }
  std::error_code ec;
  for (std::filesystem::directory_iterator it("/proc", ec), end; !ec && it != end; it.increment(ec)) {
    const std::string name = it->path().filename();
    std::string stat;
    if (name.find_first_not_of("0123456789") == std::string::npos &&
        std::getline(std::ifstream(it->path() / "stat"), stat) && lives_in_group(stat, pgid)) {
      return true;
    }
  }
  return static_cast<bool>(ec);  // unreadable: do not claim that it is gone
}

}  // namespace llamavisor
