// A small real HTTP server that answers like Ollama, for faults that a real one cannot be told to have.
// In a test's own process: construct it, talk to port(). As a program (fake_ollama_main.cpp): `fake_ollama
// serve` obeys OLLAMA_HOST, OLLAMA_MODELS and OLLAMA_CONTEXT_LENGTH, so that the supervisor can spawn it.
//
// Behaviour comes from FakeConfig; from outside as JSON with the same names: the environment variable
// FAKE_OLLAMA at start, POST /fake/config later (only the keys given change). Also:
//   GET  /fake/last      the last request that was not to /fake: head, raw_body, body, body_bytes, body_hash
//   GET  /fake/requests  [{method, target}], oldest first
//   GET  /fake/state     {loaded: [{name, num_ctx, runner_pid}], aborted}
//   POST /fake/release   lets one answer that `hold` keeps back go on
// Thread: every public function may be called from any thread.
#pragma once

#include <sys/types.h>

#include <boost/json/object.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/fake_http.h"

namespace llamavisor::testing {

struct FakeConfig {
  std::string version = "0.24.0";
  // Name -> MiB that its runner holds. With OLLAMA_MODELS also every manifest there counts.
  std::map<std::string, unsigned> models{{"a", 8}, {"b", 8}, {"c", 8}};
  bool runners = false;  // real child processes that hold that memory; program only

  // Program only, at start.
  std::string say;  // written to stderr
  std::optional<int> exit_at_once;
  bool ignore_sigterm = false;
  std::uint64_t log_bytes = 0;  // of noise on stdout and stderr, each

  bool never_ready = false;   // accepts, but answers nothing
  std::string ps = "ok";      // "missing" (404), "hang", "zero" (sizes 0)
  std::string unload = "ok";  // "never": says yes and keeps it; "hang"
  unsigned load_ms = 0;
  std::string load_error;  // 500 with this text, instead of loading
  std::string too_long;    // 400 with this text, in two pieces, where the body forbids truncation

  // Inference answers.
  std::vector<std::string> words{"abc", "def", "ghi"};  // one piece each
  unsigned pause_ms = 0;                                // before each piece but the first
  bool hold = false;                                    // each piece but the first waits for a release
  bool hold_first = false;                              // the first one too
  std::string framing = "auto";                         // "auto": as Ollama; else see Framing
  std::size_t cut_after = 1;
};

class FakeOllama {
 public:
  // `port` 0: any. `runner_program`: what to run for `runners`, with "runner --model BLOB --port P".
  explicit FakeOllama(FakeConfig config = {}, std::uint16_t port = 0, std::string runner_program = {});
  ~FakeOllama();
  FakeOllama(const FakeOllama&) = delete;
  FakeOllama& operator=(const FakeOllama&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void configure(const std::function<void(FakeConfig&)>& change);
  void release(std::size_t answers = 1);

  [[nodiscard]] std::vector<FakeRequest> requests() const;
  [[nodiscard]] std::vector<std::string> loaded() const;
  // Each waits, and throws after 10 s.
  void wait_for_requests(std::size_t count) const;
  void wait_for_aborted(std::size_t count) const;  // inference requests whose client went away

 private:
  struct Loaded {
    std::uint32_t num_ctx = 0;
    pid_t runner = -1;
    unsigned in_flight = 0;
    bool unload_when_idle = false;
    std::chrono::milliseconds keep_alive{300'000};
    std::chrono::steady_clock::time_point expires{};
  };
  struct Connection {
    int socket = -1;
    bool done = false;
    std::thread thread;
  };
  using Lock = std::unique_lock<std::mutex>;

  void accept_loop();
  void serve(Connection& connection);
  bool answer(FakeConnection& client, FakeRequest& request);
  FakeAnswer route(FakeConnection& client, const FakeRequest& request);
  FakeAnswer control(const FakeRequest& request);
  FakeAnswer ps(FakeConnection& client);
  FakeAnswer tags() const;
  FakeAnswer inference(FakeConnection& client, const FakeRequest& request);
  FakeAnswer unload(FakeConnection& client, const std::string& name);
  FakeAnswer words(const FakeRequest& request, const std::string& name, bool stream) const;
  [[nodiscard]] bool is_installed(const std::string& name) const;
  [[nodiscard]] std::optional<unsigned> mib_of(const std::string& name) const;
  std::optional<FakeAnswer> load(FakeConnection& client, Lock& lock, const std::string& name,
                                 const boost::json::object& body);
  void drop(const std::string& name);
  void finish_use(const std::string& name);
  void expire();
  bool wait(FakeConnection& client, Lock& lock, std::chrono::milliseconds limit,
            const std::function<bool()>& ready);
  bool piece_may_go(FakeConnection& client, std::size_t number);
  [[nodiscard]] std::string blob_digest(const std::string& name) const;
  pid_t start_runner(const std::string& name) const;

  const std::string runner_program_;
  std::string models_dir_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopping_ = false;
  FakeConfig config_;
  std::vector<FakeRequest> requests_;
  std::map<std::string, Loaded> loaded_;
  std::size_t aborted_ = 0;
  std::size_t releases_ = 0;
  std::list<Connection> connections_;
  std::thread acceptor_;
};

// Applies the keys of `json` (names as in FakeConfig). Throws on an unknown one.
void apply_json(FakeConfig& config, const boost::json::object& json);

// The path of the program: beside the running test.
std::string fake_ollama_program();

}  // namespace llamavisor::testing
