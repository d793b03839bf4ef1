// Finds the plugins, keeps those in use, and swaps them.
//
// A swap prepares the new instance off the io thread while the old one serves: check the file, open a
// private copy, create, and try it on a canned snapshot. Only then does the caller put it in charge. Any
// failure leaves the old one where it is.
//
// Thread: io thread only; `done` comes there too.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
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
// Opens one file by all the rules. Blocking.
Result<std::vector<PluginInfo>> check_plugin_file(const std::string& path);

class PluginHost {
 public:
  PluginHost(boost::asio::io_context& io, boost::asio::thread_pool& workers, const Clock& clock)
      : io_(io), workers_(workers), clock_(clock) {}

  void configure(std::vector<std::string> dirs, const Settings& settings) {
    dirs_ = std::move(dirs);
    settings_ = settings;
  }
  [[nodiscard]] const std::vector<std::string>& dirs() const { return dirs_; }

  void eviction(const std::string& id, std::function<void(Result<std::shared_ptr<EvictionPolicy>>)> done);
  void context(const std::string& id, std::function<void(Result<std::shared_ptr<ContextPolicy>>)> done);
  void notifier(const std::string& id, std::function<void(Result<std::shared_ptr<Notifier>>)> done);

 private:
  using Opened = std::function<void(Result<std::shared_ptr<PluginInstance>>)>;
  void open(const std::string& id, const std::string& role, Opened done);

  boost::asio::io_context& io_;
  boost::asio::thread_pool& workers_;
  const Clock& clock_;
  std::vector<std::string> dirs_;
  Settings settings_;
  unsigned generation_ = 0;
};

}  // namespace llamavisor
