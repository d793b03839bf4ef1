// command: runs a program for each event, with the event as one line of JSON on its standard input.
//
// No shell: `argv` is passed as it is. The program gets a process group of its own; when it ends, or when
// its time is over, whatever is left in that group is ended too. Its output is discarded. The JSON comes
// from a file in memory, so that a program that never reads it blocks nothing.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>
#include <memory>

namespace {

using namespace llamavisor;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(std::int32_t code, const std::string& what, int error) {
  throw PluginError(code, what + ": " + std::system_category().message(error));
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      fail(LLV_E_FAILED, "writing the event", errno);
    }
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
}

// A file in memory that holds one line, to be read from its start.
void fill(const Fd& file, std::string_view line) {
  if (file.get() < 0) {
    fail(LLV_E_FAILED, "making room for the event", errno);
  }
  write_all(file.get(), line);
  write_all(file.get(), "\n");
  lseek(file.get(), 0, SEEK_SET);
}

// What the child starts with: the event, nothing else that is open here, its own group, signals as new.
class SpawnPlan {
 public:
  explicit SpawnPlan(int input) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  pid_t start(const std::vector<std::string>& argv) const {
    std::vector<char*> pointers;
    pointers.reserve(argv.size() + 1);
    for (const std::string& argument : argv) {
      pointers.push_back(const_cast<char*>(argument.c_str()));
    }
    pointers.push_back(nullptr);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, pointers[0], &actions_, &attributes_, pointers.data(), environ);
    if (error != 0) {
      fail(LLV_E_UNAVAILABLE, "starting " + argv.front(), error);
    }
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A started child. Its destructor ends the group and reaps the child: the child stays a zombie until then,
// so that neither its pid nor its group can have become somebody else's.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { finish(); }

  // False: it still runs at the deadline.
  [[nodiscard]] bool wait_until(steady_clock::time_point deadline) const {
    if (pidfd_.get() < 0) {
      throw PluginError(LLV_E_FAILED, "the kernel gives no pidfd for the program");
    }
    pollfd ended{pidfd_.get(), POLLIN, 0};
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
      const int ready = poll(&ended, 1, left > 0 ? static_cast<int>(left) : 0);
      if (ready > 0 || (ready == 0 && left <= 0)) {
        return ready > 0;
      }
      if (ready < 0 && errno != EINTR) {
        fail(LLV_E_FAILED, "waiting for the program", errno);
      }
    }
  }

  // Ends what is left of the group. Returns how the child ended; nothing if it is not ours to know.
  std::optional<siginfo_t> finish() {
    if (pid_ < 0) {
      return std::nullopt;
    }
    kill(-pid_, SIGKILL);
    siginfo_t how{};
    int result = 0;
    while ((result = waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED)) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return result == 0 ? std::optional(how) : std::nullopt;
  }

 private:
  pid_t pid_;
  Fd pidfd_;
};

class Command final : public Notifier {
 public:
  Command(Host /*host*/, const Config& config)
      : argv_(config.list("argv")), timeout_(config.duration("timeout")) {
    if (argv_.empty() || argv_.front().empty()) {
      throw PluginError(LLV_E_INVALID, R"(argv: name the program, like ["/usr/local/bin/on-event"])");
    }
  }

  void on_event(const Event& event) override {
    const Fd input(memfd_create("llamavisor-event", MFD_CLOEXEC));
    fill(input, event.json);
    const auto deadline = steady_clock::now() + timeout_;
    Child child(SpawnPlan(input.get()).start(argv_));
    if (!child.wait_until(deadline)) {
      throw PluginError(LLV_E_TIMEOUT, argv_.front() + " was ended after " + text::duration(timeout_));
    }
    report(child.finish());
  }

 private:
  void report(const std::optional<siginfo_t>& how) const {
    if (how && how->si_code == CLD_EXITED && how->si_status != 0) {
      throw PluginError(LLV_E_FAILED,
                        argv_.front() + " ended with exit code " + std::to_string(how->si_status));
    }
    if (how && how->si_code != CLD_EXITED) {
      throw PluginError(LLV_E_FAILED,
                        argv_.front() + " was ended by signal " + std::to_string(how->si_status));
    }
  }

  std::vector<std::string> argv_;
  nanoseconds timeout_;
};

}  // namespace

LLV_PLUGIN(Command, "command", "1.0.0", "Runs a program for each event, with the event as JSON on its stdin",
           key(LLV_KEY_STR_LIST, "argv", nullptr,
               "program and arguments, without a shell; it gets the event as one line of JSON on stdin", 0, 0,
               LLV_KEY_REQUIRED),
           key(LLV_KEY_DURATION, "timeout", "4s",
               "the program is ended when it runs longer; keep it below the notify deadline", 1e7, 6e10))
