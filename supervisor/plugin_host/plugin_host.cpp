#include "plugin_host/plugin_host.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "plugin_host/adapters.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kStartDeadline{5};

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

// One pinned-free, idle model: every policy must be able to answer on it.
Snapshot canned_snapshot(const Clock& clock) {
  Snapshot out;
  out.now = clock.now();
  out.limit_bytes = 2ULL << 30U;
  out.used_bytes = 1ULL << 30U;
  ModelView model;
  model.name = "self-test:latest";
  model.charge_bytes = model.forecast_bytes = out.used_bytes;
  model.last_used = model.loaded = out.now - std::chrono::minutes(1);
  out.models.push_back(model);
  return out;
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

Result<std::vector<PluginInfo>> check_plugin_file(const std::string& path) {
  const auto library = PluginLibrary::open(path);
  if (!library) {
    return library.error();
  }
  std::vector<PluginInfo> out;
  for (PluginInfo info : (*library)->plugins()) {
    for (const std::string& role : info.roles) {
      if (auto whole = check_role(info, role); !whole) {
        return whole.error();
      }
    }
    info.table = {};
    out.push_back(std::move(info));
  }
  return out;
}

void PluginHost::open(const std::string& id, const std::string& role, Opened done) {
  const auto guard = boost::asio::make_work_guard(io_);
  boost::asio::post(workers_, [this, guard, id, role, dirs = dirs_, done = std::move(done)] {
    auto found = find_plugin(dirs, id, role);
    boost::asio::post(io_, [this, found = std::move(found), done]() mutable {
      if (!found) {
        done(found.error());
        return;
      }
      const auto values = settings_.plugins.find(found->info.id);
      auto config = PluginConfig::check(found->info, values == settings_.plugins.end()
                                                         ? std::map<std::string, PluginValue>{}
                                                         : values->second);
      if (!config) {
        done(config.error());
        return;
      }
      PluginInstance::start({io_, clock_, found->library, found->info, std::move(*config), ++generation_},
                            kStartDeadline, std::move(done));
    });
  });
}

void PluginHost::eviction(const std::string& id,
                          std::function<void(Result<std::shared_ptr<EvictionPolicy>>)> done) {
  open(id, "eviction", [this, done = std::move(done)](auto instance) {
    if (!instance) {
      done(instance.error());
      return;
    }
    const auto policy = as_eviction_policy(*instance, settings_.policy.deadline);
    policy->rank(canned_snapshot(clock_), 1, [policy, done](const auto& ranked) {
      done(ranked ? Result<std::shared_ptr<EvictionPolicy>>(policy) : ranked.error().within("self-test"));
    });
  });
}

void PluginHost::context(const std::string& id,
                         std::function<void(Result<std::shared_ptr<ContextPolicy>>)> done) {
  open(id, "context", [this, done = std::move(done)](auto instance) {
    if (!instance) {
      done(instance.error());
      return;
    }
    ContextQuestion question;
    question.model.name = "self-test:latest";
    question.default_num_ctx = 4096;
    const auto policy = as_context_policy(*instance, settings_.policy.deadline);
    policy->choose(canned_snapshot(clock_), question, [policy, done](const auto& choice) {
      const bool fine = choice && choice->num_ctx > 0;
      done(fine     ? Result<std::shared_ptr<ContextPolicy>>(policy)
           : choice ? Error("self-test: it chose num_ctx 0")
                    : choice.error().within("self-test"));
    });
  });
}

void PluginHost::notifier(const std::string& id,
                          std::function<void(Result<std::shared_ptr<Notifier>>)> done) {
  open(id, "notify", [this, done = std::move(done)](auto instance) {
    done(instance
             ? Result<std::shared_ptr<Notifier>>(as_notifier(*instance, settings_.policy.notify_deadline))
             : instance.error());
  });
}

}  // namespace llamavisor
