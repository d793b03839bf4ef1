// `fake_ollama serve` stands in for `ollama serve`, `fake_ollama runner ...` for a runner. See fake_ollama.h.
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "support/fake_ollama.h"

namespace {

using llamavisor::testing::FakeConfig;
using llamavisor::testing::FakeOllama;

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

// Holds anonymous memory, says so, and waits for its end.
int run_runner() {
  const std::size_t bytes = std::stoul(environment("FAKE_RUNNER_MIB", "8")) << 20U;
  const std::unique_ptr<char[]> memory(new char[bytes]);
  std::memset(memory.get(), 1, bytes);
  [[maybe_unused]] const auto told = ::write(STDOUT_FILENO, "r", 1);
  ::close(STDOUT_FILENO);
  for (;;) {
    ::pause();
  }
}

void make_noise(std::uint64_t bytes) {
  const std::string line(1023, 'x');
  for (std::uint64_t written = 0; written < bytes; written += line.size() + 1) {
    std::cout << line << '\n' << std::flush;
    std::cerr << line << '\n';
  }
}

std::uint16_t port_to_use() {
  const std::string host = environment("OLLAMA_HOST", "127.0.0.1:11434");
  return static_cast<std::uint16_t>(std::stoul(host.substr(host.rfind(':') + 1)));
}

// Blocks until SIGTERM or SIGINT, as Ollama does; the signals were blocked before any thread began.
void wait_for_signal(const sigset_t& signals, bool ignore_sigterm) {
  int signal = 0;
  do {
    ::sigwait(&signals, &signal);
  } while (ignore_sigterm);
}

int run_server(const FakeConfig& config, const sigset_t& signals) {
  try {
    FakeOllama server(config, port_to_use(), std::filesystem::read_symlink("/proc/self/exe"));
    std::cerr << "level=INFO msg=\"Listening on 127.0.0.1:" << server.port() << " (version " << config.version
              << ")\"\n";
    std::thread noise([&] { make_noise(config.log_bytes); });
    wait_for_signal(signals, config.ignore_sigterm);
    noise.join();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "runner") {
    return run_runner();
  }
  if (command != "serve") {
    std::cerr << "usage: fake_ollama serve\n";
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  FakeConfig config;
  apply_json(config, boost::json::parse(environment("FAKE_OLLAMA", "{}")).as_object());
  std::cerr << config.say << (config.say.empty() ? "" : "\n");
  return config.exit_at_once ? *config.exit_at_once : run_server(config, signals);
}
