#include "plugin_host/plugin_host.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <optional>
#include <set>

#include "base/text.h"
#include "config/layers.h"
#include "plugin_host/adapters.h"
#include "plugin_host/describe.h"
#include "plugin_host/handover.h"
#include "plugin_host/isolated_plugin.h"
#include "plugin_host/plugin_calls.h"
#include "plugin_host/trial.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

struct Found {
  std::shared_ptr<PluginLibrary> library;  // null for an isolated plugin
  PluginInfo info;
};

// What is looked for, and how it is to run.
struct Wanted {
  std::vector<std::string> dirs;
  std::string id;
  std::string role;
  std::optional<IsolationPlan> isolation;
};

bool plays(const PluginInfo& info, const std::string& role) {
  return std::find(info.roles.begin(), info.roles.end(), role) != info.roles.end();
}

std::vector<std::string> libraries_in(const std::vector<std::string>& dirs) {
  std::vector<std::string> out;
  for (const std::string& dir : dirs) {
    std::set<std::string> sorted;
    std::error_code ec;
    for (fs::directory_iterator it(dir, ec), end; !ec && it != end; it.increment(ec)) {
      if (it->path().extension() == ".so") {
        sorted.insert(it->path().string());
      }
    }
    out.insert(out.end(), sorted.begin(), sorted.end());
  }
  return out;
}

Result<Found> load_here(const Wanted& wanted, const std::string& path) {
  const auto library = PluginLibrary::open(path);
  if (!library) {
    return library.error();
  }
  for (const PluginInfo& info : (*library)->plugins()) {
    if (info.id == wanted.id) {
      return Found{*library, info};
    }
  }
  return Error(path + ": it does not have " + wanted.id + " any more");
}

Result<Found> make(const Wanted& wanted, const DescribedPlugin& plugin) {
  if (!wanted.isolation) {
    return load_here(wanted, plugin.info.path);
  }
  IsolationPlan plan = *wanted.isolation;
  plan.path = plugin.info.path;
  plan.id = wanted.id;
  return Found{nullptr, isolated(plugin, std::move(plan))};
}

// The file that is named like the plugin is most likely the one: it is looked at first.
std::vector<std::string> likely_first(std::vector<std::string> paths, const std::string& id) {
  std::stable_partition(paths.begin(), paths.end(),
                        [&](const std::string& path) { return fs::path(path).stem() == id; });
  return paths;
}

Result<Found> find_plugin(const Wanted& wanted) {
  std::vector<std::string> ids;
  std::string errors;
  for (const std::string& path : likely_first(libraries_in(wanted.dirs), wanted.id)) {
    const auto plugins = describe_library(path);
    if (!plugins) {
      errors += "; " + plugins.error().text();
      continue;
    }
    for (const DescribedPlugin& plugin : *plugins) {
      ids.push_back(plugin.info.id);
      if (plugin.info.id == wanted.id && plays(plugin.info, wanted.role)) {
        return make(wanted, plugin);
      }
    }
  }
  const std::string near = closest(wanted.id, ids);
  return Error("no " + wanted.role + " plugin named " + wanted.id + " in the plugin folders" + errors,
               near.empty() ? "see llamavisor plugin list" : "did you mean " + near + "?");
}

}  // namespace

std::vector<ListedPlugin> list_plugins(const std::vector<std::string>& dirs) {
  std::vector<ListedPlugin> out;
  for (const std::string& path : libraries_in(dirs)) {
    const auto plugins = describe_library(path);
    out.push_back({path, plugins ? "" : plugins.error().text(), {}});
    for (std::size_t i = 0; plugins && i < plugins->size(); ++i) {
      out.back().plugins.push_back((*plugins)[i].info);
    }
  }
  return out;
}

std::vector<std::string> check_plugin_tables(const std::vector<std::string>& dirs, const Settings& settings) {
  std::vector<std::string> out;
  std::vector<std::string> ids;
  for (const ListedPlugin& file : list_plugins(dirs)) {
    for (const PluginInfo& plugin : file.plugins) {
      ids.push_back(plugin.id);
      const bool mentioned = settings.plugins.contains(plugin.id);
      const auto config = PluginConfig::check(plugin, values_of(settings, plugin.id));
      if (mentioned && !config) {
        out.push_back(config.error().text());
      }
    }
  }
  for (const auto& [id, values] : settings.plugins) {
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) {
      const std::string near = closest(id, ids);
      out.push_back("[plugins." + id + "]: no such plugin in the plugin folders" +
                    (near.empty() ? "" : "; did you mean " + near + "?"));
    }
  }
  return out;
}

std::map<std::string, PluginValue> values_of(const Settings& settings, const std::string& id) {
  const auto values = settings.plugins.find(id);
  auto out = values == settings.plugins.end() ? std::map<std::string, PluginValue>{} : values->second;
  out.erase(kIsolateKey);
  return out;
}

bool is_isolated(const Settings& settings, const std::string& id) {
  const auto values = settings.plugins.find(id);
  return values != settings.plugins.end() && values->second.contains(kIsolateKey) &&
         values->second.at(kIsolateKey) == PluginValue(true);
}

Result<void> PluginHost::check_trust(const std::string& id) const {
  const auto found = quarantine_.find(id);
  if (found == quarantine_.end() || is_isolated(settings_, id)) {
    return {};
  }
  return Error(id + " is in quarantine: " + found->second,
               "llamavisor plugin trust " + id + ", or [plugins." + id + "] isolate = true");
}

std::shared_ptr<PluginInstance> PluginHost::running(const std::string& id, const std::string& role) const {
  const auto found = running_.find({role, id});
  return found == running_.end() ? nullptr : found->second.lock();
}

template <class Policy>
void PluginHost::prove(const std::shared_ptr<PluginInstance>& instance, const std::string& role,
                       const std::shared_ptr<Policy>& policy,
                       std::function<void(Result<std::shared_ptr<Policy>>)> done) {
  try_policy(policy, clock_,
             [this, instance, role, policy, done = std::move(done)](const Result<void>& tried) {
               if (!tried) {
                 done(tried.error());
                 return;
               }
               running_[{role, instance->info().id}] = instance;
               done(policy);
             });
}

void PluginHost::open(const std::string& id, const std::string& role, Opened done) {
  const auto guard = boost::asio::make_work_guard(io_);
  if (auto trusted = check_trust(id); !trusted) {
    boost::asio::post(io_, [done = std::move(done), error = trusted.error()] { done(error); });
    return;
  }
  Wanted wanted{dirs_, id, role, {}};
  if (is_isolated(settings_, id)) {
    // A little more than the instance's own deadline, which is the one that is told.
    constexpr std::chrono::milliseconds kMore{20};
    wanted.isolation = IsolationPlan{"", "", kStartDeadline, settings_.policy.deadline + kMore,
                                     settings_.policy.notify_deadline + kMore};
  }
  boost::asio::post(workers_, [this, guard, id, role, wanted = std::move(wanted), done = std::move(done)] {
    auto found = find_plugin(wanted);
    boost::asio::post(io_, [this, id, role, found = std::move(found), done]() mutable {
      if (!found) {
        done(found.error());
        return;
      }
      auto config = PluginConfig::check(found->info, values_of(settings_, id));
      if (!config) {
        done(config.error());
        return;
      }
      PluginInstance::start({io_, clock_, found->library, found->info, std::move(*config), ++generation_,
                             calls_, role, inline_calls_},
                            kStartDeadline, [old = running(id, role), done](auto instance) {
                              if (!instance || !old) {
                                done(std::move(instance));
                                return;
                              }
                              hand_over(old, *instance, kStartDeadline, [instance, done] { done(instance); });
                            });
    });
  });
}

void PluginHost::reconfigure(const std::string& id, const std::string& role,
                             std::function<void(Result<bool>)> done) {
  const auto instance = running(id, role);
  if (!instance) {
    done(false);
    return;
  }
  auto config = PluginConfig::check(instance->info(), values_of(settings_, id));
  if (!config) {
    done(config.error());
    return;
  }
  llamavisor::reconfigure(instance, std::move(*config), kStartDeadline, std::move(done));
}

void PluginHost::eviction(const std::string& id,
                          std::function<void(Result<std::shared_ptr<EvictionPolicy>>)> done) {
  open(id, "eviction", [this, done = std::move(done)](auto instance) {
    if (!instance) {
      done(instance.error());
      return;
    }
    prove(*instance, "eviction", as_eviction_policy(*instance, settings_.policy.deadline), done);
  });
}

void PluginHost::context(const std::string& id,
                         std::function<void(Result<std::shared_ptr<ContextPolicy>>)> done) {
  open(id, "context", [this, done = std::move(done)](auto instance) {
    if (!instance) {
      done(instance.error());
      return;
    }
    prove(*instance, "context", as_context_policy(*instance, settings_.policy.deadline), done);
  });
}

void PluginHost::notifier(const std::string& id,
                          std::function<void(Result<std::shared_ptr<Notifier>>)> done) {
  open(id, "notify", [this, done = std::move(done)](auto instance) {
    if (!instance) {
      done(instance.error());
      return;
    }
    running_[{"notify", (*instance)->info().id}] = *instance;
    done(as_notifier(*instance, settings_.policy.notify_deadline));
  });
}

}  // namespace llamavisor
