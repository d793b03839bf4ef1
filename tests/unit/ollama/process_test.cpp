#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "ollama/client.h"
#include "ollama/find_binary.h"
#include "ollama/free_port.h"
#include "ollama/http_client.h"
#include "ollama/process_group.h"
#include "ollama/server_process.h"
#include "ollama/spawn.h"
#include "support/catch.h"
#include "support/fake_ollama.h"
#include "support/results.h"
#include "support/temp_dir.h"

using namespace llamavisor;
using namespace std::chrono_literals;
using llamavisor::testing::fake_ollama_program;
using llamavisor::testing::TempDir;

namespace {

// Runs the child to its end; what it wrote on stdout.
std::string output_of(SpawnRequest request, ExitStatus* status = nullptr) {
  auto child = spawn_child(request);
  REQUIRE(child);
  ::fcntl(child->out.get(), F_SETFL, 0);
  std::string out;
  char bytes[4096];
  for (ssize_t got = 0; (got = ::read(child->out.get(), bytes, sizeof bytes)) > 0;) {
    out.append(bytes, static_cast<std::size_t>(got));
  }
  siginfo_t info{};
  REQUIRE(::waitid(P_PIDFD, static_cast<id_t>(child->pidfd.get()), &info, WEXITED | WNOWAIT) == 0);
  const auto ended = reap(child->pidfd.get());
  REQUIRE(ended);
  if (status != nullptr) {
    *status = *ended;
  }
  return out;
}

std::string shell(const std::string& script) {
  return output_of({"/bin/sh", {"-c", script}, {"PATH=/usr/bin:/bin", "ONE=1"}});
}

// A server process made of the fake, everything it needs, and the event loop.
struct Rig {
  TempDir dir;
  boost::asio::io_context io{1};
  boost::asio::thread_pool workers{2};
  SystemClock clock;
  LogPump log{io, workers, {dir.file("ollama.log"), 1 << 20, 2}};
  LaunchPlan plan;
  std::string fake = "{}";  // its FakeConfig
  std::vector<std::uint16_t> ports;
  std::vector<bool> automatic;
  std::function<void(std::uint16_t)> before_launch;
  ServerProcess server{io, workers, clock, log,
                       [this](auto port, bool restart) { return make_plan(port, restart); }};
  std::vector<ServerState> states;

  Rig() {
    plan.executable = fake_ollama_program();
    plan.restart = {1ms, 10ms};
    server.on_change([this](ServerState state) { states.push_back(state); });
    become_subreaper();
  }

  Result<LaunchPlan> make_plan(std::uint16_t port, bool restart) {
    ports.push_back(port);
    automatic.push_back(restart);
    if (before_launch) {
      before_launch(port);
    }
    LaunchPlan out = plan;
    out.environment = {"OLLAMA_HOST=127.0.0.1:" + std::to_string(port), "FAKE_OLLAMA=" + fake,
                       "OLLAMA_MODELS=" + dir.path().string()};
    return out;
  }
  template <class Condition>
  void run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      io.restart();
      io.run_one_for(100ms);
      if (std::chrono::steady_clock::now() > deadline) {
        FAIL("waited for 30 s");
      }
    }
  }
  Result<void> start() {
    std::optional<Result<void>> outcome;
    server.start([&](const Result<void>& result) { outcome = result; });
    run_until([&] { return outcome.has_value(); });
    return *outcome;
  }
  Result<void> stop() {
    std::optional<Result<void>> outcome;
    server.stop([&](const Result<void>& result) { outcome = result; });
    run_until([&] { return outcome.has_value(); });
    return *outcome;
  }
  pid_t runner_of(const std::string& model) {
    REQUIRE(OllamaClient(*server.port()).touch(model, {0ms, true}, std::nullopt, 10s));
    const auto state = http_get(*server.port(), "/fake/state", 10s);
    REQUIRE(state);
    const boost::json::value parsed = boost::json::parse(state->body);
    for (const auto& one : parsed.at("loaded").as_array()) {
      if (one.at("name").as_string() == model + ":latest") {
        return one.at("runner_pid").to_number<pid_t>();
      }
    }
    FAIL("no runner for " << model);
    return -1;
  }
};

bool is_running(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

}  // namespace

TEST_CASE("a child gets the given environment, a trusted folder and nothing to read") {
  CHECK(shell("pwd; echo $ONE; echo ${HOME-none}; cat; echo end") == "/\n1\nnone\nend\n");
}

TEST_CASE("a child inherits no descriptor but the three standard ones") {
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // no O_CLOEXEC
  REQUIRE(leaky);
  CHECK(shell("n=0; while [ $n -lt 64 ]; do [ -e /proc/$$/fd/$n ] && echo $n; n=$((n+1)); done") ==
        "0\n1\n2\n");
}

TEST_CASE("a child leads a session and a process group of its own") {
  CHECK(shell("set -- $(cat /proc/$$/stat); [ $1 = $5 ] && [ $1 = $6 ] && echo yes") == "yes\n");
}

TEST_CASE("a child starts without blocked or ignored signals") {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  const auto old = ::signal(SIGPIPE, SIG_IGN);
  const std::string out = shell("grep -E '^Sig(Blk|Ign)' /proc/$$/status | cut -f2 | tr '\\n' ' '");
  ::signal(SIGPIPE, old);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(out.substr(0, 16) == "0000000000000000");
  const auto ignored = std::stoull(out.substr(17), nullptr, 16);
  CHECK((ignored & (1ULL << (SIGPIPE - 1))) == 0);
}

TEST_CASE("how a child ended is told: its code or its signal") {
  ExitStatus status;
  output_of({"/bin/sh", {"-c", "exit 7"}, {}}, &status);
  CHECK((!status.signalled && status.value == 7));
  output_of({"/bin/sh", {"-c", "kill -9 $$"}, {}}, &status);
  CHECK((status.signalled && status.value == SIGKILL));
}

TEST_CASE("an exec that fails names its step and leaves no zombie") {
  TempDir dir;
  const std::string text_file = dir.file("not-a-program");
  std::ofstream(text_file) << "hello";
  const auto run = [](const std::string& program, const std::string& folder = "/") {
    const auto child = spawn_child({program, {}, {}, folder});
    REQUIRE(child.has_error());
    return child.error().text();
  };
  CHECK_THAT(run(dir.file("missing")), ContainsSubstring("exec: No such file or directory (it is not there"));
  CHECK_THAT(run(text_file), ContainsSubstring("exec: Permission denied (it is not executable"));
  std::filesystem::permissions(text_file, std::filesystem::perms::owner_all);
  CHECK_THAT(run(text_file),
             ContainsSubstring("exec: Exec format error (it is no program of this machine's kind"));
  CHECK_THAT(run("/bin/true", dir.file("nowhere")), ContainsSubstring("working directory"));
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("a child gets SIGTERM when its parent dies") {
  become_subreaper();
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const auto child = spawn_child({"/bin/sleep", {"600"}, {}});
    const pid_t pid = child ? child->pid : -1;
    [[maybe_unused]] const auto told = ::write(fds[1], &pid, sizeof pid);
    ::_exit(0);
  }
  pid_t child = -1;
  REQUIRE(::read(fds[0], &child, sizeof child) == sizeof child);
  ::close(fds[0]);
  ::close(fds[1]);
  REQUIRE(::waitpid(parent, nullptr, 0) == parent);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("a server is started, found ready, and stopped with its runners") {
  Rig rig;
  rig.fake = R"({"runners": true})";
  REQUIRE(rig.start());
  CHECK(rig.server.state() == ServerState::ready);
  CHECK(rig.server.version() == "0.24.0");
  CHECK(rig.server.port() == rig.ports.back());
  const pid_t pid = *rig.server.pid();
  CHECK(::getpgid(pid) == pid);
  const pid_t runner = rig.runner_of("a");
  CHECK(::getpgid(runner) == pid);
  REQUIRE(rig.stop());
  CHECK_FALSE(group_is_alive(pid));
  CHECK_FALSE(is_running(pid));
  CHECK_FALSE(is_running(runner));
  CHECK_FALSE(rig.server.pid());
  CHECK_FALSE(rig.server.port());
  CHECK(rig.states ==
        std::vector{ServerState::starting, ServerState::ready, ServerState::stopping, ServerState::stopped});
  CHECK_FALSE(rig.server.last_failure());
  CHECK(rig.automatic == std::vector<bool>{false});
}

TEST_CASE("a killed server takes its runners along and is started again") {
  Rig rig;
  rig.fake = R"({"runners": true})";
  REQUIRE(rig.start());
  const pid_t first = *rig.server.pid();
  const pid_t runner = rig.runner_of("a");
  REQUIRE(::kill(first, SIGKILL) == 0);
  rig.run_until([&] { return rig.server.state() == ServerState::backoff; });
  CHECK_FALSE(is_running(runner));
  CHECK_FALSE(group_is_alive(first));
  CHECK_FALSE(rig.server.port());
  REQUIRE(rig.server.last_failure());
  CHECK(rig.server.last_failure()->reason == ExitReason::signalled);
  CHECK_THAT(rig.server.last_failure()->sentence, ContainsSubstring("signal 9"));
  rig.run_until([&] { return rig.server.state() == ServerState::ready; });
  CHECK(*rig.server.pid() != first);
  CHECK(rig.server.restarts() == 1);
  CHECK(rig.automatic == std::vector<bool>{false, true});
  REQUIRE(rig.stop());
}

TEST_CASE("a first start that fails tells the exit code and the server's last words") {
  Rig rig;
  rig.fake = R"({"say": "level=INFO msg=x\nError: could not create directory", "exit_at_once": 1})";
  const auto started = rig.start();
  REQUIRE(started.has_error());
  CHECK_THAT(started.error().message,
             ContainsSubstring("exited with code 1 before it was ready: Error: could not create directory"));
  CHECK(rig.server.last_failure()->reason == ExitReason::start_failed);
  CHECK(rig.server.state() == ServerState::stopped);
}

TEST_CASE("a program that is not Ollama is told apart") {
  Rig rig;
  rig.plan.executable = "/bin/true";
  CHECK_THAT(rig.start().error().text(), ContainsSubstring("is this program Ollama?"));
  rig.plan.executable = rig.dir.file("missing");
  CHECK_THAT(rig.start().error().text(), ContainsSubstring("exec: No such file"));
  CHECK(rig.server.last_failure()->reason == ExitReason::not_started);
  CHECK(rig.server.state() == ServerState::stopped);
}

TEST_CASE("a server that never answers is ended at the limit") {
  Rig rig;
  rig.fake = R"({"never_ready": true})";
  rig.plan.ready_timeout = 200ms;
  const auto started = rig.start();
  REQUIRE(started.has_error());
  CHECK_THAT(started.error().message, ContainsSubstring("did not become ready: no answer"));
  CHECK(rig.server.last_failure()->reason == ExitReason::unready);
  CHECK_FALSE(rig.server.pid());
}

TEST_CASE("when somebody takes the private port meanwhile another one is tried") {
  Rig rig;
  UniqueFd thief;
  rig.before_launch = [&](std::uint16_t port) {
    if (!thief) {
      thief.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      REQUIRE(::bind(thief.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
  };
  REQUIRE(rig.start());
  CHECK(rig.ports.size() == 2);
  CHECK(rig.server.port() == rig.ports[1]);
  REQUIRE(rig.stop());
}

TEST_CASE("restarts that fail are tried again until one succeeds") {
  Rig rig;
  REQUIRE(rig.start());
  rig.fake = R"({"say": "panic: boom", "exit_at_once": 2})";
  REQUIRE(::kill(*rig.server.pid(), SIGKILL) == 0);
  rig.run_until([&] { return rig.server.restarts() == 3; });
  CHECK(rig.server.last_failure()->reason == ExitReason::panicked);
  CHECK_THAT(rig.server.last_failure()->sentence, ContainsSubstring("panic: boom"));
  rig.fake = "{}";
  rig.run_until([&] { return rig.server.state() == ServerState::ready; });
  REQUIRE(rig.stop());
}

TEST_CASE("a server that ignores SIGTERM is killed at the limit") {
  Rig rig;
  rig.fake = R"({"ignore_sigterm": true, "runners": true})";
  rig.plan.stop_timeout = 100ms;
  REQUIRE(rig.start());
  const pid_t pid = *rig.server.pid();
  const pid_t runner = rig.runner_of("a");
  REQUIRE(rig.stop());
  CHECK_FALSE(group_is_alive(pid));
  CHECK_FALSE(is_running(runner));
}

TEST_CASE("a second stop does not wait for the limit") {
  Rig rig;
  rig.fake = R"({"ignore_sigterm": true})";
  rig.plan.stop_timeout = 24h;
  REQUIRE(rig.start());
  int stopped = 0;
  rig.server.stop([&](const Result<void>& outcome) { stopped += outcome ? 1 : 0; });
  CHECK(rig.server.state() == ServerState::stopping);
  REQUIRE(rig.stop());
  CHECK(stopped == 1);
}

TEST_CASE("a stop during the start answers both") {
  Rig rig;
  rig.fake = R"({"never_ready": true})";
  std::optional<Result<void>> started;
  rig.server.start([&](const Result<void>& outcome) { started = outcome; });
  REQUIRE(rig.stop());
  REQUIRE(started);
  CHECK_THAT(started->error().message, ContainsSubstring("stopped before it was ready"));
  CHECK(rig.server.state() == ServerState::stopped);
}

TEST_CASE("a stop during backoff ends the restarts") {
  Rig rig;
  rig.plan.restart = {1h, 1h};
  REQUIRE(rig.start());
  REQUIRE(::kill(*rig.server.pid(), SIGKILL) == 0);
  rig.run_until([&] { return rig.server.state() == ServerState::backoff; });
  CHECK(rig.server.next_start().value() > rig.clock.now() + 40min);
  REQUIRE(rig.stop());
  CHECK(rig.server.state() == ServerState::stopped);
  REQUIRE(rig.start());
  REQUIRE(rig.stop());
}

TEST_CASE("a supervisor that is destroyed leaves no server") {
  pid_t pid = -1;
  {
    Rig rig;
    REQUIRE(rig.start());
    pid = *rig.server.pid();
  }
  CHECK_FALSE(is_running(pid));
}

TEST_CASE("a flood of log lines is drained while the server works") {
  Rig rig;
  rig.fake = R"({"log_bytes": 4194304})";
  REQUIRE(rig.start());
  rig.run_until([&] { return rig.log.ring().pushed() > 2 * 4096; });
  REQUIRE(rig.stop());
}

TEST_CASE("the exit report shows what a panic says and not its stacks") {
  ExitFacts facts{
      12, {false, 2}, true, {"level=INFO msg=ok", "panic: nil map", "", "goroutine 1 [running]:"}};
  for (int i = 0; i < 100; ++i) {
    facts.lines.emplace_back("\tstack");
  }
  const ExitReport report = explain_exit(facts);
  CHECK(report.sentence == "ollama serve (pid 12) exited with code 2: panic: nil map");
  CHECK(report.last_lines.size() == 8);
  CHECK(report.last_lines.front() == "panic: nil map");
}

TEST_CASE("reasons for an exit are told apart") {
  const auto reason = [](ExitStatus status, bool ready, std::vector<std::string> lines = {}) {
    return explain_exit({1, status, ready, std::move(lines)}).reason;
  };
  CHECK(reason({false, 1}, false, {"Error: listen tcp 127.0.0.1:1: bind: address already in use"}) ==
        ExitReason::port_taken);
  CHECK(reason({false, 1}, true, {"address already in use"}) == ExitReason::ended);
  CHECK(reason({false, 0}, false) == ExitReason::not_ollama);
  CHECK(reason({false, 0}, true) == ExitReason::ended);
  CHECK(reason({false, 2}, true) == ExitReason::panicked);
  CHECK(reason({true, SIGILL}, false) == ExitReason::signalled);
  CHECK_THAT(explain_exit({1, {true, SIGILL}, false, {}}).hint, ContainsSubstring("processor"));
}

TEST_CASE("the ollama program is looked for in order, and a named one must be there") {
  TempDir dir;
  const auto plant = [&](const std::string& name) {
    const std::filesystem::path path = dir.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "#!/bin/sh\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path.string();
  };
  Environment own{"PATH=relative:" + dir.file("bin"), "HOME=" + dir.file("home")};
  const std::string old_cached = plant("home/.cache/llamavisor/ollama-0.9.6/bin/ollama");
  const std::string cached = plant("home/.cache/llamavisor/ollama-0.32.5/bin/ollama");
  const std::string local = plant("home/.local/bin/ollama");
  const std::string on_path = plant("bin/ollama");
  const std::string named = plant("named");
  CHECK(*find_ollama("", own) == on_path);
  own.push_back("LLAMAVISOR_OLLAMA=" + named);
  CHECK(*find_ollama("", own) == named);
  CHECK(*find_ollama(local, own) == local);
  CHECK_THAT(find_ollama(dir.file("nowhere"), own).error().text(), ContainsSubstring("which is not there"));
  own = {"PATH=", "XDG_CACHE_HOME=" + dir.file("home/.cache")};
  const auto usual = find_ollama("", own);  // a system-wide one may be installed here
  CHECK((usual && (*usual == cached || !usual->starts_with(dir.path().string()))));
}

TEST_CASE("a program that is not found is an error with the places") {
  TempDir dir;
  if (std::filesystem::exists("/usr/local/bin/ollama") || std::filesystem::exists("/usr/bin/ollama")) {
    return;
  }
  const auto found = find_ollama("", {"PATH=" + dir.file("bin"), "HOME=" + dir.path().string()});
  REQUIRE(found.has_error());
  CHECK_THAT(found.error().message, ContainsSubstring(dir.file("bin/ollama")));
  CHECK_THAT(found.error().hint, ContainsSubstring("--ollama PATH"));
}

TEST_CASE("a process whose first thread has ended is alive while another one runs") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    pthread_t thread{};
    ::pthread_create(
        &thread, nullptr, [](void*) -> void* { return ::pause(), nullptr; }, nullptr);
    ::syscall(SYS_exit, 0);  // this thread alone
  }
  const auto state = [&] {
    std::string stat;
    std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), stat);
    return stat.empty() ? '?' : stat[stat.rfind(')') + 2];
  };
  while (state() != 'Z') {
    std::this_thread::yield();
  }
  CHECK(group_is_alive(pid));
  signal_group(pid, SIGKILL);
  REQUIRE(::waitpid(pid, nullptr, 0) == pid);
  CHECK_FALSE(group_is_alive(pid));
}
