// The typed settings, checked and complete: what every other part reads. Plain values; the schema
// (schema.h) names each key, its type, range, default and whether it applies live.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace llamavisor {

using std::chrono::milliseconds;

// "12GB" | "60%" (of physical or cgroup memory, the smaller) | "auto".
struct LimitSpec {
  enum class Kind { automatic, percent, bytes } kind = Kind::automatic;
  double percent = 0;
  std::uint64_t bytes = 0;
  bool operator==(const LimitSpec&) const = default;
};

// keep_alive as Ollama reads it: a duration, or negative = forever.
struct KeepAlive {
  milliseconds duration{0};
  bool forever = false;
  bool operator==(const KeepAlive&) const = default;
};

using PluginValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct ServerSettings {
  std::string ollama_path;  // empty: found on PATH and in the usual places
  std::string models;       // OLLAMA_MODELS; empty: untouched
  milliseconds ready_timeout{60'000};
  milliseconds drain_timeout{30'000};
  milliseconds stop_timeout{10'000};
  bool unload_on_stop = false;
  milliseconds restart_min_delay{500};
  milliseconds restart_max_delay{30'000};
  std::uint32_t max_loaded_models = 64;
  std::uint32_t num_parallel = 1;
  KeepAlive keep_alive{milliseconds(300'000), false};
  std::string kv_cache_type;  // "", "f16", "q8_0", "q4_0"
  bool flash_attention = false;
  std::uint64_t prompt_cache_bytes = 256ULL << 20U;  // LLAMA_ARG_CACHE_RAM, per runner
  std::map<std::string, std::string> env;            // more variables, as they are
  bool operator==(const ServerSettings&) const = default;
};

struct GatewaySettings {
  std::string listen;  // "host:port"; empty: OLLAMA_HOST or 127.0.0.1:11434
  std::uint32_t max_connections = 2048;
  milliseconds head_timeout{15'000};   // a request head, or a body that stalls
  milliseconds hold_timeout{120'000};  // how long a request may wait while the server restarts
  std::uint32_t max_waiting = 512;     // requests that wait for memory or for a model, all together
  std::uint64_t max_inspect_bytes = 64ULL << 20U;  // larger inference bodies are relayed unread
  std::vector<std::string> origins;                // more allowed origins, as OLLAMA_ORIGINS
  bool operator==(const GatewaySettings&) const = default;
};

struct MemorySettings {
  LimitSpec limit;
  std::uint64_t min_available_bytes = 512ULL << 20U;  // MemAvailable below this is pressure
  double psi_full_percent = 20;                       // PSI full avg10 above this is pressure
  milliseconds admission_wait{120'000};               // for a busy model to finish
  milliseconds unload_timeout{10'000};                // then that one runner is ended
  bool operator==(const MemorySettings&) const = default;
};

struct ContextSettings {
  std::uint32_t default_num_ctx = 0;  // OLLAMA_CONTEXT_LENGTH; 0: the context policy's answer at start
  bool grow = true;                   // a client's larger wish reloads an idle model
  std::string overflow = "mark";      // "allow", "mark", "grow" or "error": prompts longer than num_ctx
  bool operator==(const ContextSettings&) const = default;
};

struct PolicySettings {
  std::string eviction = "lru";
  std::string context = "tier_context";
  std::vector<std::string> notify{"desktop"};
  std::string shadow;                   // eviction policy that answers beside the one in charge; empty: none
  milliseconds thrash_window{120'000};  // a model that is back within it goes later the next time; 0: off
  milliseconds deadline{50};
  milliseconds notify_deadline{5'000};
  bool operator==(const PolicySettings&) const = default;
};

struct NotifySettings {
  std::vector<std::string> events{"eviction", "eviction_failed", "server_down", "plugin_failed"};
  milliseconds coalesce{2'000};  // events within this window become one notification
  bool operator==(const NotifySettings&) const = default;
};

struct HistorySettings {
  bool enabled = true;
  milliseconds keep_age{30LL * 24 * 3600 * 1000};
  std::uint64_t max_bytes = 64ULL << 20U;
  bool operator==(const HistorySettings&) const = default;
};

struct LogSettings {
  std::string level = "info";
  std::string file;  // of the server's output; empty: $XDG_STATE_HOME/llamavisor/ollama.log
  std::uint64_t max_bytes = 10ULL << 20U;
  std::uint32_t files = 3;
  bool operator==(const LogSettings&) const = default;
};

// One [models."glob"] table. The first glob that matches and sets a field wins it: those of a stronger layer
// come first, then the order of the file counts.
struct ModelRule {
  std::string glob{};
  std::optional<bool> pin{};
  std::optional<KeepAlive> keep_alive{};   // the owner's word: wins over the client's
  std::optional<std::uint32_t> num_ctx{};  // default for requests without a wish
  std::optional<std::uint32_t> max_num_ctx{};
  std::optional<std::int32_t> priority{};      // models of a lower one go first; 0 unless set
  std::optional<std::string> together{};       // group whose models go together or not at all
  std::optional<std::string> exclusive{};      // group of which at most one model is resident
  std::optional<std::uint64_t> limit_bytes{};  // what this model alone may hold
  bool operator==(const ModelRule&) const = default;
};

struct Settings {
  std::string profile;  // name of the profile in use; empty: none
  ServerSettings server;
  GatewaySettings gateway;
  MemorySettings memory;
  milliseconds monitor_interval{30'000};
  ContextSettings context;
  PolicySettings policy;
  NotifySettings notify;
  LogSettings log;
  HistorySettings history;
  std::vector<std::string> plugin_dirs;  // besides the ones shipped
  std::map<std::string, std::map<std::string, PluginValue>> plugins;
  std::vector<ModelRule> models;
  bool operator==(const Settings&) const = default;
};

// The rule for one model, all globs folded. Pure.
ModelRule rule_for(const Settings& settings, const std::string& canonical_name);

}  // namespace llamavisor
