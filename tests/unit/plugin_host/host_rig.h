// A plugin host over the folders that a test names, whose answers are waited for.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "plugin_host/plugin_host.h"
#include "support/results.h"
#include "support/temp_dir.h"

namespace llamavisor::testing {

using Values = std::map<std::string, PluginValue>;

// A plugin host whose answers are waited for.
class HostRig {
 public:
  HostRig(std::vector<std::string> dirs, std::map<std::string, Values> plugins) : dirs_(std::move(dirs)) {
    ::setenv("XDG_RUNTIME_DIR", run_.path().c_str(), 1);
    settings_.policy.deadline = std::chrono::seconds(10);  // a loaded machine is no failure here
    configure(std::move(plugins));
  }
  ~HostRig() { workers_.join(); }
  void configure(std::map<std::string, Values> plugins) {
    settings_.plugins = std::move(plugins);
    host_.configure(dirs_, settings_);
  }

  // What `start(done)` gives to `done`.
  template <class T, class Start>
  Result<T> wait(const Start& start) {
    std::optional<Result<T>> out;
    start([&out](Result<T> answer) { out.emplace(std::move(answer)); });
    io_.restart();
    while (!out && io_.run_one() > 0) {
    }
    REQUIRE(out.has_value());
    return std::move(*out);
  }

  Result<std::shared_ptr<EvictionPolicy>> eviction(const std::string& id) {
    return wait<std::shared_ptr<EvictionPolicy>>([&](auto done) { host_.eviction(id, done); });
  }
  Result<std::shared_ptr<ContextPolicy>> context(const std::string& id) {
    return wait<std::shared_ptr<ContextPolicy>>([&](auto done) { host_.context(id, done); });
  }
  Result<std::shared_ptr<Notifier>> notifier(const std::string& id) {
    return wait<std::shared_ptr<Notifier>>([&](auto done) { host_.notifier(id, done); });
  }
  Result<bool> reconfigure(const std::string& id, const std::string& role) {
    return wait<bool>([&](auto done) { host_.reconfigure(id, role, done); });
  }
  Result<std::vector<RankedVictim>> rank(EvictionPolicy& policy, const Snapshot& snapshot,
                                         std::uint64_t need) {
    return wait<std::vector<RankedVictim>>([&](auto done) { policy.rank(snapshot, need, done); });
  }
  Result<ContextChoice> choose(ContextPolicy& policy, const ContextQuestion& question) {
    return wait<ContextChoice>([&](auto done) { policy.choose(machine(), question, done); });
  }
  Result<void> notify(Notifier& notifier, const Event& event) {
    return wait<void>([&](auto done) { notifier.notify(event, done); });
  }
  Snapshot machine() const {
    Snapshot out;
    out.now = clock_.now();
    out.limit_bytes = 1000;
    for (const auto& [name, bytes, idle_s] : {std::tuple{"small", 100U, 5}, std::tuple{"large", 200U, 7}}) {
      ModelView model;
      model.name = name;
      model.charge_bytes = bytes;
      model.last_used = model.loaded = out.now - std::chrono::seconds(idle_s);
      out.models.push_back(model);
    }
    return out;
  }

  void set_deadline(std::chrono::milliseconds deadline) {
    settings_.policy.deadline = deadline;
    host_.configure(dirs_, settings_);
  }
  PluginHost& host() { return host_; }
  ManualClock& clock() { return clock_; }
  [[nodiscard]] std::string file(const std::string& name) const { return run_.file(name); }

 private:
  TempDir run_;
  std::vector<std::string> dirs_;
  ManualClock clock_;
  boost::asio::io_context io_;
  boost::asio::thread_pool workers_{1};
  PluginHost host_{io_, workers_, clock_};
  Settings settings_;
};

}  // namespace llamavisor::testing
