// The whole program's state, built in the order of the flows, and what the control API may do with it.
//
// Life: run() starts the server, opens the gateway when it is ready, samples until a signal comes, then
// drains the gateway, stops the server and returns. A second signal shortens the drain; after start-up
// nothing but a signal ends it.
//
// Thread: io thread, which is the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json/array.hpp>
#include <memory>
#include <set>
#include <string>

#include "actions/admission_desk.h"
#include "actions/event_log.h"
#include "actions/executor.h"
#include "actions/notify_queue.h"
#include "actions/relief.h"
#include "app/loaded_config.h"
#include "app/sampler.h"
#include "app/worker_tasks.h"
#include "control/control_server.h"
#include "control/supervisor_port.h"
#include "gateway/gateway.h"
#include "ledger/ledger.h"
#include "ollama/log_pump.h"
#include "ollama/server_process.h"
#include "plugin_host/plugin_host.h"
#include "policy/engine.h"
#include "store/history.h"
#include "store/quarantine.h"

namespace llamavisor {

class Supervisor final : public SupervisorPort {
 public:
  Supervisor(boost::asio::io_context& io, LoadedConfig config);
  ~Supervisor() override;

  // Returns when it was told to stop: 0, or 1 when the start failed (the reason was logged).
  int run();

  boost::json::object status() override;
  boost::json::object ps() override;
  void models(ControlCallback done) override;
  void evict(const std::string& model, const std::string& reason, ControlCallback done) override;
  ControlAnswer set_pinned(const std::string& model, bool pinned) override;
  boost::json::object limit() override;
  ControlAnswer set_limit(const std::string& limit) override;
  boost::json::object profiles() override;
  ControlAnswer use_profile(const std::string& name) override;
  void plugins(ControlCallback done) override;
  void use_plugin(const std::string& role, const std::string& name, ControlCallback done) override;
  void shadow_plugin(const std::string& role, const std::string& name, ControlCallback done) override;
  boost::json::object compare() override;
  ControlAnswer trust_plugin(const std::string& name) override;
  boost::json::object config() override;
  ControlAnswer reload() override;
  void doctor(ControlCallback done) override;
  std::string log_tail(std::size_t lines) override;
  std::unique_ptr<ControlStream> follow_log(StreamSink sink) override;
  std::string events_since(std::uint64_t since) override;
  std::unique_ptr<ControlStream> follow_events(StreamSink sink) override;

 private:
  // start and stop (supervisor.cpp)
  void loop();
  void wire_up();
  Result<void> open_control();
  void start();
  void start_server();
  void opened();
  void fail_start(const Error& error);
  void on_signal();
  void stop_gracefully();
  void stop_server();
  void server_changed(ServerState state);
  [[nodiscard]] std::optional<std::uint16_t> server_port() const;
  void unload_all(const std::function<void()>& done);

  // settings (supervisor_config.cpp)
  void apply(const LoadedConfig& config);
  [[nodiscard]] std::uint32_t default_num_ctx() const;
  void load_policies(std::function<void()> done);
  void load_eviction(const std::string& id, std::function<void(Result<void>)> done);
  void load_context(const std::string& id, std::function<void(Result<void>)> done);
  void load_notifiers();
  void refresh_plugin(const std::string& role, const std::string& id, const Settings& before,
                      std::function<void()> replace);
  void refresh_plugins(const Settings& before);
  ControlAnswer reconfigure(Result<LoadedConfig> fresh);
  ControlAnswer override_and_reload(const std::vector<std::pair<std::string, std::string>>& changes);
  void engine_failed(const std::string& role, const Error& error);
  void after_sample();
  void ask_due();

  // the history (supervisor_history.cpp)
  void record_history();

  // the shadow policy (supervisor_shadow.cpp)
  void load_shadow(const std::string& id, std::function<void(Result<void>)> done);

  // plugins that crashed us (supervisor_quarantine.cpp)
  void watch_plugins();
  void put_in_quarantine(const std::string& id, const std::string& reason);
  void quarantine_changed();
  [[nodiscard]] boost::json::array quarantine() const;
  [[nodiscard]] boost::json::object plugin_entry(const PluginInfo& plugin, const std::string& role) const;

  Result<LaunchPlan> launch_plan(std::uint16_t port, bool automatic_restart);

  boost::asio::io_context& io_;
  boost::asio::thread_pool workers_{4};
  SystemClock clock_;
  LoadedConfig config_;
  SteadyTime started_at_ = clock_.now();

  EventLog events_{clock_};
  NotifyQueue notify_{io_};
  std::shared_ptr<void> notify_listener_;
  std::unique_ptr<History> history_;  // null: switched off; before the ledger, which tells it of uses
  std::shared_ptr<void> history_listener_;
  Ledger ledger_{clock_};
  PolicyEngine engine_;
  std::shared_ptr<PluginCalls> plugin_calls_;
  Quarantine quarantine_;
  PluginHost plugin_host_{io_, workers_, clock_};
  LogPump log_;
  ServerProcess server_;
  WorkerTasks tasks_;
  Executor executor_{io_, clock_, ledger_, tasks_, events_};
  AdmissionDesk desk_;
  RelievePressure relief_{ledger_, engine_, executor_, [this] { return desk_.snapshot(); }};
  Sampler sampler_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<ControlServer> control_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer drain_timer_;
  boost::asio::steady_timer due_timer_;

  std::uint32_t started_num_ctx_ = 0;  // OLLAMA_CONTEXT_LENGTH of the running server
  std::set<std::string> warnings_;
  unsigned stops_asked_ = 0;
  bool server_stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace llamavisor
