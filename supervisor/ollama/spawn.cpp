#include "ollama/spawn.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "ollama/process_group.h"

namespace llamavisor {
namespace {

namespace process = boost::process::v2;

enum class Step : char { start = 's', parent_died = 'p', directory = 'd', exec = 'x' };

// Runs in the child between fork and exec: only async-signal-safe calls here.
// Cures for the launcher's traps (Boost 1.81 to 1.88): it would call exit() in the child and run our atexit
// handlers, hand down descriptors without CLOEXEC, and not say which step failed.
class ChildSetup {
 public:
  ChildSetup(const SpawnRequest& request, const std::vector<const char*>& environment, int report_fd)
      : request_(request), environment_(environment), report_fd_(report_fd), parent_(::getpid()) {}

  template <class Launcher, class... Rest>
  process::error_code on_setup(Launcher& launcher, Rest&&...) {
    launcher.env = environment_.data();
    launcher.fd_whitelist.push_back(report_fd_);  // newer launchers close all others before the exec
    return {};
  }

  template <class... Rest>
  process::error_code on_exec_setup(Rest&&...) {
    if (::setsid() < 0 || ::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
      return last_error();
    }
    step_ = Step::parent_died;  // before the line above took effect: nobody would end us
    if (::getppid() != parent_) {
      errno = ESRCH;
      return last_error();
    }
    reset_signals();
    step_ = Step::directory;
    if (::chdir(request_.directory.c_str()) != 0) {
      return last_error();
    }
    step_ = Step::exec;
    ::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    return {};
  }

  template <class... Rest>
  void on_exec_error(Rest&&...) {
    const char step = static_cast<char>(step_);
    [[maybe_unused]] const auto told = ::write(report_fd_, &step, 1);
    ::_exit(127);
  }

 private:
  static process::error_code last_error() { return {errno, boost::system::system_category()}; }

  static void reset_signals() {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
  }

  const SpawnRequest& request_;
  const std::vector<const char*>& environment_;
  int report_fd_;
  pid_t parent_;
  Step step_ = Step::start;
};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) {
    return Error("cannot make a pipe for the server: " + std::string(std::strerror(errno)),
                 "raise the limit of open files (ulimit -n)");
  }
  Pipe out{UniqueFd(fds[0]), UniqueFd(fds[1])};
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return out;
}

std::string hint_for(int code) {
  switch (code) {
    case ENOENT:
      return "it is not there, or the interpreter or loader that it names is missing";
    case EACCES:
      return "it is not executable for this user, or its file system is mounted noexec";
    case ENOEXEC:
      return "it is no program of this machine's kind: is it the right architecture, is the file whole?";
    default:
      return {};
  }
}

Error describe(const SpawnRequest& request, char step, int code) {
  const std::string why = std::strerror(code);
  switch (static_cast<Step>(step)) {
    case Step::exec:
      return Error("cannot run " + request.executable + ": exec: " + why, hint_for(code));
    case Step::directory:
      return Error("cannot run " + request.executable + ": working directory " + request.directory + ": " +
                   why);
    case Step::parent_died:
      return Error("cannot run " + request.executable + ": the starting process ended");
    case Step::start:
      break;
  }
  return Error("cannot run " + request.executable + ": new process: " + why);
}

std::vector<const char*> pointers_to(const std::vector<std::string>& environment) {
  std::vector<const char*> out;
  out.reserve(environment.size() + 1);
  for (const std::string& entry : environment) {
    out.push_back(entry.c_str());
  }
  out.push_back(nullptr);
  return out;
}

// The launcher tells its context that a fork is near. An empty one of its own keeps it from touching the
// supervisor's: in the child that would mean to register every connection anew.
Result<pid_t> launch(const SpawnRequest& request, int out_fd, int err_fd, const Pipe& report) {
  boost::asio::io_context bystander;
  process::posix::default_launcher launcher;
  const std::vector<const char*> environment = pointers_to(request.environment);
  process::error_code failed;
  auto started = launcher(bystander.get_executor(), failed, process::filesystem::path(request.executable),
                          request.arguments, process::process_stdio{nullptr, out_fd, err_fd},
                          ChildSetup(request, environment, report.write.get()));
  started.detach();  // waiting is ours, through the pidfd
  if (!failed) {
    return launcher.pid;
  }
  char step = static_cast<char>(Step::start);
  if (launcher.pid > 0) {
    ::waitpid(launcher.pid, nullptr, 0);  // the launcher leaves a zombie; the child has called _exit
    [[maybe_unused]] const auto got = ::read(report.read.get(), &step, 1);
  }
  return describe(request, step, failed.value());
}

}  // namespace

Result<SpawnedChild> spawn_child(const SpawnRequest& request) {
  auto out = make_pipe();
  auto err = make_pipe();
  auto report = make_pipe();
  for (const auto* pipe : {&out, &err, &report}) {
    if (!*pipe) {
      return pipe->error();
    }
  }
  const auto pid = launch(request, out->write.get(), err->write.get(), *report);
  if (!pid) {
    return pid.error();
  }
  UniqueFd pidfd = open_pidfd(*pid);
  if (!pidfd) {
    const int code = errno;
    ::kill(-*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
    return Error("cannot watch the server: pidfd_open: " + std::string(std::strerror(code)),
                 "Linux 5.4 or later is needed, and a free file descriptor");
  }
  return SpawnedChild{*pid, std::move(pidfd), std::move(out->read), std::move(err->read)};
}

}  // namespace llamavisor
