// One function per command, in a file of its own kind; each returns the exit code of API and man page:
// 0 done, 1 failed, 2 usage, 3 no supervisor is running. Thread: main.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/control_client.h"

namespace llamavisor {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kNotRunning = 3;

// supervisor at work (commands_live.cpp)
int run_status(bool as_json);
int run_ps(bool as_json);
int run_models(bool as_json);
int run_evict(const std::string& model);
int run_pin(const std::string& model, bool pinned);
int run_limit(const std::string& limit, bool as_json);
int run_reload();
int run_logs(bool follow, unsigned lines);
int run_events(bool follow, bool as_json);

// also without one (commands_setup.cpp)
int run_profile_list(bool as_json);
int run_profile_show(const std::string& name);
int run_profile_use(const std::string& name);
int run_plugin_list(bool as_json);
int run_plugin_info(const std::string& name, bool as_json);
int run_plugin_use(const std::string& role, const std::string& name);
int run_plugin_shadow(const std::string& role, const std::string& name);
int run_plugin_compare(bool as_json);
int run_plugin_trust(const std::string& name);
int run_plugin_check(const std::string& file);
int run_config_show(bool origin, bool env, bool as_json, const std::string& config_file);
int run_config_check(const std::string& file);
int run_config_path();
int run_config_set(const std::string& key, const std::string& value, const std::string& config_file);
int run_config_reference();

// a plugin project (plugin_new.cpp)
int run_plugin_new(const std::string& name, const std::string& role, const std::string& language);

// policies on recorded or made requests (commands_simulate.cpp)
struct SimulateOptions {
  std::string from;                   // a trace; "-" is the standard input
  std::string make;                   // or the kind of a made one
  std::string history;                // or what was recorded in this time, like "7d"
  std::string ollama_log, ollama_ps;  // or a plain Ollama's access log and samples of /api/ps
  std::uint64_t seed = 1;
  std::size_t requests = 20'000;
  std::string policies = "lru,lfu,largest,gdsf,ollama,ollama-order";
  std::string limits;  // empty: the configured one
  std::string svg;     // a file; empty: none
  bool print_trace = false;
  bool as_json = false;
};
int run_simulate(const SimulateOptions& options);
int run_history_prune(const std::string& older_than);

// memory of a load, before it (commands_estimate.cpp)
struct EstimateOptions {
  std::string model;          // a name, a GGUF file or a manifest
  std::uint32_t num_ctx = 0;  // 0: its own, else the default
  std::string kv;             // empty: the configured type
  std::uint32_t parallel = 0;
  bool explain = false;
  bool as_json = false;
};
int run_estimate(const EstimateOptions& options);

// checks (doctor.cpp)
int run_doctor(bool as_json, const std::string& config_file);

// Says why a call failed and gives the exit code for it.
int fail(const ControlReply& reply);
int print_json(const boost::json::object& value);

}  // namespace llamavisor
