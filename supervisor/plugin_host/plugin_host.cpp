#include "plugin_host/plugin_host.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "plugin_host/adapters.h"
#include "plugin_host/handover.h"
#include "plugin_host/trial.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

struct Found {
  std::shared_ptr<PluginLibrary> library;
  PluginInfo info;
};

bool plays(const PluginInfo& info, const std::string& role) {
  return std::find(info.roles.begin(), info.roles.end(), role) != info.roles.end();
}

// The role's table must be whole before anybody calls through it.
Result<void> check_role(const PluginInfo& info, const std::string& role) {
  const auto* size = static_cast<const std::uint32_t*>(info.table.get_role(role_id(role).c_str()));
  const void* callback = nullptr;
  if (size != nullptr && *size >= 16) {
    callback = *reinterpret_cast<void* const*>(reinterpret_cast<const char*>(size) + 8);
  }
  if (callback == nullptr) {
    return Error(info.path + ": the " + role + " table of " + info.id +
                 " is too short or its callback is null");
  }
  return {};
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

Result<Found> find_plugin(const std::vector<std::string>& dirs, const std::string& id,
                          const std::string& role) {
  std::vector<std::string> ids;
  std::string errors;
  for (const std::string& path : libraries_in(dirs)) {
    auto library = PluginLibrary::open(path);
    if (!library) {
      errors += "; " + library.error().message;
      continue;
    }
    for (const PluginInfo& info : (*library)->plugins()) {
      ids.push_back(info.id);
      if (info.id == id && plays(info, role)) {
        auto whole = check_role(info, role);
        return whole ? Result<Found>(Found{*library, info}) : whole.error();
      }
    }
  }
  const std::string near = closest(id, ids);
  return Error("no " + role + " plugin named " + id + " in the plugin folders" + errors,
               near.empty() ? "see llamavisor plugin list" : "did you mean " + near + "?");
}

}  // namespace

std::vector<ListedPlugin> list_plugins(const std::vector<std::string>& dirs) {
  std::vector<ListedPlugin> out;
  for (const std::string& path : libraries_in(dirs)) {
    auto library = PluginLibrary::open(path);
    out.push_back(library ? ListedPlugin{path, "", (*library)->plugins()}
                          : ListedPlugin{path, library.error().text(), {}});
    for (PluginInfo& info : out.back().plugins) {
      info.table = {};  // the library is let go
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
      const auto values = settings.plugins.find(plugin.id);
      const auto config = values == settings.plugins.end() ? Result<PluginConfig>(PluginConfig())
                                                           : PluginConfig::check(plugin, values->second);
      if (!config) {
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
  return values == settings.plugins.end() ? std::map<std::string, PluginValue>{} : values->second;
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
  boost::asio::post(workers_, [this, guard, id, role, dirs = dirs_, done = std::move(done)] {
    auto found = find_plugin(dirs, id, role);
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
      PluginInstance::start({io_, clock_, found->library, found->info, std::move(*config), ++generation_},
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
