// Finds the plugins, keeps those in use, and swaps them.
//
// A helper process finds out which file has the plugin, so that no code of the others runs here. A swap then
// prepares the new instance off the io thread while the old one serves: check the file, open a private copy,
// create, let it restore what a predecessor of the same id saved, and try it. Only then does the caller put
// it in charge. Any failure leaves the old one where it is.
//
// Thread: io thread only; `done` comes there too.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "plugin_host/instance.h"
#include "policy/ports.h"

namespace llamavisor {

struct ListedPlugin {
  std::string path;
  std::string error;  // why the file is not usable; then the rest is empty
  std::vector<PluginInfo> plugins;
};

// Every *.so in the folders, in order; a folder that is not there is passed over. Blocking.
std::vector<ListedPlugin> list_plugins(const std::vector<std::string>& dirs);
// What is wrong in the [plugins.<id>] tables, by the key tables of the plugins in the folders. Blocking.
std::vector<std::string> check_plugin_tables(const std::vector<std::string>& dirs, const Settings& settings);

// How long create() and what belongs to a swap may take.
constexpr std::chrono::seconds kStartDeadline{5};
// [plugins.<id>] isolate = true: it runs in a process of its own.
bool is_isolated(const Settings& settings, const std::string& id);
// The plugin's own keys in the table [plugins.<id>]; empty when there is none.
std::map<std::string, PluginValue> values_of(const Settings& settings, const std::string& id);

class PluginHost {
 public:
  PluginHost(boost::asio::io_context& io, boost::asio::thread_pool& workers, const Clock& clock)
      : io_(io), workers_(workers), clock_(clock) {}

  void configure(std::vector<std::string> dirs, const Settings& settings) {
    dirs_ = std::move(dirs);
    settings_ = settings;
  }
  [[nodiscard]] const std::vector<std::string>& dirs() const { return dirs_; }
  // Instances that are made from now on leave a trace there while they are called.
  void trace_calls(std::shared_ptr<PluginCalls> calls) { calls_ = std::move(calls); }
  // By id, with the reason: these do not run in this process. They may run isolated.
  void set_quarantine(std::map<std::string, std::string> quarantine) { quarantine_ = std::move(quarantine); }

  // Instances that are made from now on answer within the call, on the caller's thread and without a
  // deadline: for a replay, where a slow machine must not change the outcome.
  void call_inline() { inline_calls_ = true; }

  void eviction(const std::string& id, std::function<void(Result<std::shared_ptr<EvictionPolicy>>)> done);
  void context(const std::string& id, std::function<void(Result<std::shared_ptr<ContextPolicy>>)> done);
  void notifier(const std::string& id, std::function<void(Result<std::shared_ptr<Notifier>>)> done);

  // Offers the present [plugins.<id>] to the running instance. True: taken over. False: only a new instance
  // can have them (or none runs). On an error the old values stay in force.
  void reconfigure(const std::string& id, const std::string& role, std::function<void(Result<bool>)> done);

 private:
  // What stands against running the plugin here.
  [[nodiscard]] Result<void> check_trust(const std::string& id) const;
  using Opened = std::function<void(Result<std::shared_ptr<PluginInstance>>)>;
  void open(const std::string& id, const std::string& role, Opened done);
  [[nodiscard]] std::shared_ptr<PluginInstance> running(const std::string& id, const std::string& role) const;
  // Tries the policy that is made of `instance`; one that passes is the running one of its role and id.
  template <class Policy>
  void prove(const std::shared_ptr<PluginInstance>& instance, const std::string& role,
             const std::shared_ptr<Policy>& policy,
             std::function<void(Result<std::shared_ptr<Policy>>)> done);

  boost::asio::io_context& io_;
  boost::asio::thread_pool& workers_;
  const Clock& clock_;
  std::vector<std::string> dirs_;
  Settings settings_;
  unsigned generation_ = 0;
  std::shared_ptr<PluginCalls> calls_;
  std::map<std::string, std::string> quarantine_;
  bool inline_calls_ = false;
  // The instance that was last handed out, by role and id; gone once nobody uses it.
  std::map<std::pair<std::string, std::string>, std::weak_ptr<PluginInstance>> running_;
};

}  // namespace llamavisor
