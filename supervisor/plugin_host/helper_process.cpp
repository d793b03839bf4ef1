#include "plugin_host/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/units.h"
#include "ollama/process_group.h"
#include "plugin_host/plugin_text.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

std::string helper_path() {
  return install_prefix() + "/lib/llamavisor/plugin-helper";
}

// posix_spawn's tables, given back in every case.
struct SpawnTables {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};

  // Of all descriptors the child has the socket, and /dev/null for the first three; its signals are as a new
  // program expects them; Ctrl-C in our terminal is not meant for it.
  explicit SpawnTables(int socket) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, kHelperSocket);
    for (const int fd : {0, 1, 2}) {
      posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, kHelperSocket + 1);
    sigset_t signals;
    posix_spawnattr_init(&attributes);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnTables(const SpawnTables&) = delete;
  SpawnTables& operator=(const SpawnTables&) = delete;
  ~SpawnTables() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

std::string how_it_ended(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) {
    return "ended itself with code " + std::to_string(end.si_status);
  }
  return "was ended by signal " + std::to_string(end.si_status) + " (" + strsignal(end.si_status) + ")";
}

}  // namespace

HelperProcess::HelperProcess(pid_t pid, UniqueFd pidfd, UniqueFd socket)
    : pid_(pid), pidfd_(std::move(pidfd)), socket_(std::move(socket)) {}

HelperProcess::~HelperProcess() {
  end();
}

Result<std::unique_ptr<HelperProcess>> HelperProcess::spawn(const std::string& copy,
                                                            const std::string& path) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return Error("cannot make a socket pair: " + std::string(std::strerror(errno)));
  }
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  const SpawnTables tables(theirs.get());
  std::string program = helper_path();
  std::array<std::string, 5> words{program, LLV_VERSION, std::to_string(getpid()), copy, path};
  std::array<char*, 6> argv{words[0].data(), words[1].data(), words[2].data(),
                            words[3].data(), words[4].data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  if (const int code = posix_spawn(&pid, program.c_str(), &tables.actions, &tables.attributes, argv.data(),
                                   environment.data());
      code != 0) {
    return Error("cannot start " + program + ": " + std::strerror(code),
                 "install llamavisor with cmake --install, which brings it");
  }
  return std::unique_ptr<HelperProcess>(new HelperProcess(pid, open_pidfd(pid), std::move(ours)));
}

Result<HelperProcess::Loaded> HelperProcess::load(const std::string& path,
                                                  std::chrono::milliseconds deadline) {
  const auto copy = PrivateCopy::of(path);
  if (!copy) {
    return copy.error();
  }
  auto process = spawn(copy->path(), path);
  if (!process) {
    return process.error().within(path);
  }
  const auto answer = (*process)->answer(std::chrono::steady_clock::now() + deadline);
  if (!answer) {
    return Error(path + ": its code was run to load it, and the process " + answer.error().message);
  }
  Unpacker in(*answer);
  if (in.get<std::int32_t>() < 0) {
    const std::string_view message = in.text(kMaxTextBytes);
    const std::string_view hint = in.text(kMaxTextBytes);
    return Error(clean_text(message.data(), message.size()), clean_text(hint.data(), hint.size()));
  }
  auto plugins = unpack_plugins(in, path);
  return plugins ? Result<Loaded>(Loaded{std::move(*process), std::move(*plugins)}) : plugins.error();
}

Result<std::string_view> HelperProcess::ask(Packer& question, std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  bool timed_out = false;
  if (auto sent = send_frame(socket_.get(), question.frame(), until, timed_out); !sent) {
    return gone(timed_out, sent.error());
  }
  return answer(until);
}

Result<std::string_view> HelperProcess::answer(SteadyDeadline deadline) {
  bool timed_out = false;
  auto got = receive_frame(socket_.get(), received_, deadline, timed_out);
  return got ? got : gone(timed_out, got.error());
}

// A closed socket means that the process is ending: how it ended says more.
Error HelperProcess::gone(bool timed_out, const Error& why) {
  if (timed_out) {
    return end_for("did not answer in time");
  }
  siginfo_t seen{};
  constexpr int kEndingMs = 100;
  pollfd ending{pidfd_.get(), POLLIN, 0};
  const bool ended = poll(&ending, 1, kEndingMs) > 0 &&
                     waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &seen, WEXITED | WNOWAIT) == 0;
  if (!ended) {
    return end_for(why.message);
  }
  end();
  return Error(how_it_ended(seen));
}

Error HelperProcess::end_for(const std::string& what) {
  end();
  return Error(what + " and was ended");
}

void HelperProcess::end() {
  if (pid_ < 0) {
    return;
  }
  socket_.reset();
  kill(pid_, SIGKILL);  // our child and not reaped yet: the pid is still its own
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace llamavisor
