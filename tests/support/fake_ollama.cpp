#include "support/fake_ollama.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "domain/model.h"

namespace llamavisor::testing {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
constexpr milliseconds kTick{20};
constexpr std::chrono::seconds kTestPatience{10};

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 4096) != 0) {
    ::close(fd);
    throw std::runtime_error("Error: listen tcp 127.0.0.1:" + std::to_string(port) +
                             ": bind: address already in use");
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// "tiny" -> <models>/manifests/registry.ollama.ai/library/tiny/latest
std::string manifest_path(const std::string& models_dir, const std::string& name) {
  const std::size_t colon = name.rfind(':');
  const std::string path = name.substr(0, colon);
  const bool has_namespace = path.find('/') != std::string::npos;
  return models_dir + "/manifests/registry.ollama.ai/" + (has_namespace ? "" : "library/") + path + "/" +
         name.substr(colon + 1);
}

std::string read_all(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::string fake_ollama_program() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "fake_ollama";
}

FakeOllama::FakeOllama(FakeConfig config, std::uint16_t port, std::string runner_program)
    : runner_program_(std::move(runner_program)),
      models_dir_(environment("OLLAMA_MODELS")),
      listener_(listen_on(port)),
      port_(port_of(listener_)),
      config_(std::move(config)),
      acceptor_([this] { accept_loop(); }) {}

FakeOllama::~FakeOllama() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    for (const Connection& connection : connections_) {
      ::shutdown(connection.socket, SHUT_RDWR);
    }
  }
  changed_.notify_all();
  acceptor_.join();
  for (Connection& connection : connections_) {
    if (connection.thread.joinable()) {
      connection.thread.join();
    }
  }
  ::close(listener_);
  while (!loaded_.empty()) {
    drop(loaded_.begin()->first);
  }
}

void FakeOllama::accept_loop() {
  for (;;) {
    pollfd ready{listener_, POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(kTick.count()));
    const int socket = count > 0 ? ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC) : -1;
    const Lock lock(mutex_);
    if (stopping_) {
      if (socket >= 0) {
        ::close(socket);
      }
      return;
    }
    expire();
    if (socket >= 0) {
      Connection& connection = connections_.emplace_back();
      connection.socket = socket;
      connection.thread = std::thread([this, &connection] { serve(connection); });
    }
    std::erase_if(connections_, [](Connection& connection) {
      if (connection.done) {
        connection.thread.join();  // its last act, under the lock, was to say so
      }
      return connection.done;
    });
  }
}

void FakeOllama::serve(Connection& connection) {
  FakeConnection client(connection.socket);
  FakeRequest request;
  while (client.read_head(request) && answer(client, request)) {
    request = {};
  }
  const Lock lock(mutex_);
  ::close(connection.socket);
  connection.socket = -1;
  connection.done = true;
}

// Waits for `ready` under the lock; false when the time is up, the client is gone or the server stops.
bool FakeOllama::wait(FakeConnection& client, Lock& lock, milliseconds limit,
                      const std::function<bool()>& ready) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!ready()) {
    if (stopping_ || client.client_is_gone() || std::chrono::steady_clock::now() >= deadline) {
      return false;
    }
    changed_.wait_for(lock, std::min(kTick, limit));
  }
  return true;
}

void FakeOllama::configure(const std::function<void(FakeConfig&)>& change) {
  const Lock lock(mutex_);
  change(config_);
  changed_.notify_all();
}

void FakeOllama::release(std::size_t answers) {
  const Lock lock(mutex_);
  releases_ += answers;
  changed_.notify_all();
}

std::vector<FakeRequest> FakeOllama::requests() const {
  const Lock lock(mutex_);
  return requests_;
}

std::vector<std::string> FakeOllama::loaded() const {
  const Lock lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [name, state] : loaded_) {
    out.push_back(name);
  }
  return out;
}

void FakeOllama::wait_for_requests(std::size_t count) const {
  Lock lock(mutex_);
  if (!changed_.wait_for(lock, kTestPatience, [&] { return requests_.size() >= count; })) {
    throw std::runtime_error("FakeOllama got " + std::to_string(requests_.size()) + " requests, not " +
                             std::to_string(count));
  }
}

void FakeOllama::wait_for_aborted(std::size_t count) const {
  Lock lock(mutex_);
  if (!changed_.wait_for(lock, kTestPatience, [&] { return aborted_ >= count; })) {
    throw std::runtime_error("FakeOllama saw " + std::to_string(aborted_) + " aborted requests, not " +
                             std::to_string(count));
  }
}

// --- models --------------------------------------------------------------------------------------------

std::optional<unsigned> FakeOllama::mib_of(const std::string& name) const {
  for (const auto& [known, mib] : config_.models) {
    if (canonical_model_name(known) == name) {
      return mib;
    }
  }
  return std::nullopt;
}

bool FakeOllama::is_installed(const std::string& name) const {
  return mib_of(name) || !blob_digest(name).starts_with("sha256:fa4e");
}

// From the manifest when there is one, else made up from the name: "sha256:fa4e...".
std::string FakeOllama::blob_digest(const std::string& name) const {
  boost::system::error_code ec;
  const json::value manifest =
      models_dir_.empty() ? json::value() : json::parse(read_all(manifest_path(models_dir_, name)), ec);
  if (!ec && manifest.is_object() && manifest.get_object().contains("layers")) {
    for (const json::value& layer : manifest.at("layers").as_array()) {
      if (layer.at("mediaType").as_string() == "application/vnd.ollama.image.model") {
        return std::string(layer.at("digest").as_string());
      }
    }
  }
  std::ostringstream hex;
  hex << "sha256:fa4e" << std::hex;
  for (std::size_t i = 0; i < 60; ++i) {
    hex << (fnv1a(name + std::to_string(i)) & 0xfU);
  }
  return hex.str();
}

// Returns when the child holds its memory.
pid_t FakeOllama::start_runner(const std::string& name) const {
  std::string digest = blob_digest(name);
  std::replace(digest.begin(), digest.end(), ':', '-');
  const std::string blob = models_dir_ + "/blobs/" + digest;
  std::string memory = "FAKE_RUNNER_MIB=" + std::to_string(mib_of(name).value_or(8));
  std::array<std::string, 6> arguments{runner_program_, "runner", "--model", blob, "--port", "1"};
  std::array<char*, 7> argv{};
  std::transform(arguments.begin(), arguments.end(), argv.begin(), [](std::string& a) { return a.data(); });
  std::array<char*, 2> envp{memory.data(), nullptr};
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) {
    return -1;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ready[1], STDOUT_FILENO);
  posix_spawnattr_t attributes;  // the server blocks SIGTERM to wait for it; a runner must not
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  ::posix_spawn(&pid, runner_program_.c_str(), &actions, &attributes, argv.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ready[1]);
  char byte = 0;
  [[maybe_unused]] const auto got = ::read(ready[0], &byte, 1);
  ::close(ready[0]);
  return pid;
}

void FakeOllama::drop(const std::string& name) {
  const auto it = loaded_.find(name);
  if (it == loaded_.end()) {
    return;
  }
  if (it->second.runner > 0) {
    ::kill(it->second.runner, SIGKILL);
    ::waitpid(it->second.runner, nullptr, 0);
  }
  loaded_.erase(it);
  changed_.notify_all();
}

void FakeOllama::finish_use(const std::string& name) {
  const auto it = loaded_.find(name);
  if (it == loaded_.end() || it->second.in_flight == 0 || --it->second.in_flight > 0) {
    return;
  }
  it->second.expires = std::chrono::steady_clock::now() + it->second.keep_alive;
  if (it->second.unload_when_idle) {
    drop(name);
  }
}

void FakeOllama::expire() {
  std::vector<std::string> over;
  for (const auto& [name, state] : loaded_) {
    const bool killed = state.runner > 0 && ::waitpid(state.runner, nullptr, WNOHANG) == state.runner;
    if (killed || (state.in_flight == 0 && std::chrono::steady_clock::now() >= state.expires)) {
      over.push_back(name);
      loaded_[name].runner = killed ? -1 : state.runner;
    }
  }
  for (const std::string& name : over) {
    drop(name);
  }
}

}  // namespace llamavisor::testing
