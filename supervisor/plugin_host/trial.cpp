#include "plugin_host/trial.h"

#include <boost/asio/io_context.hpp>

#include "plugin_host/adapters.h"
#include "plugin_host/describe.h"
#include "plugin_host/plugin_host.h"

namespace llamavisor {
namespace {

constexpr const char* kModel = "self-test:latest";

// One idle model that is not pinned: every policy must be able to answer on it.
Snapshot machine(const Clock& clock) {
  Snapshot out;
  out.now = clock.now();
  out.limit_bytes = 2ULL << 30U;
  out.used_bytes = 1ULL << 30U;
  ModelView model;
  model.name = kModel;
  model.charge_bytes = model.forecast_bytes = out.used_bytes;
  model.last_used = model.loaded = out.now - std::chrono::minutes(1);
  out.models.push_back(model);
  return out;
}

// An instance of `info`, tried in `role`; the answer is there when io.run() returns.
void try_role(boost::asio::io_context& io, const Clock& clock, const PluginInstance::Parts& parts,
              const std::string& role, const Settings& settings, Result<void>& out) {
  PluginInstance::start(parts, kStartDeadline, [&io, &clock, &settings, &out, role](auto instance) {
    const auto keep = [&out, &io](Result<void> outcome) {
      out = std::move(outcome);
      io.stop();
    };
    if (!instance) {
      keep(instance.error());
    } else if (role == "eviction") {
      try_policy(as_eviction_policy(*instance, settings.policy.deadline), clock, keep);
    } else if (role == "context") {
      try_policy(as_context_policy(*instance, settings.policy.deadline), clock, keep);
    } else {
      keep({});
    }
  });
}

Result<void> try_roles(const std::shared_ptr<PluginLibrary>& library, const PluginInfo& info,
                       const PluginConfig& config, const Settings& settings) {
  // Static: a call that hangs is left behind and posts here should it ever return.
  static const SystemClock clock;
  static boost::asio::io_context io;
  for (const std::string& role : info.roles) {
    Result<void> outcome;
    io.restart();
    try_role(io, clock, {io, clock, library, info, config}, role, settings, outcome);
    io.run();
    if (!outcome) {
      return outcome.error().within(info.id + ", role " + role);
    }
  }
  return {};
}

}  // namespace

void try_policy(const std::shared_ptr<EvictionPolicy>& policy, const Clock& clock,
                std::function<void(Result<void>)> done) {
  policy->rank(machine(clock), 0, [done = std::move(done)](const auto& ranked) {
    done(ranked ? Result<void>() : ranked.error().within("self-test"));
  });
}

void try_policy(const std::shared_ptr<ContextPolicy>& policy, const Clock& clock,
                std::function<void(Result<void>)> done) {
  ContextQuestion question;
  question.model.name = kModel;
  question.default_num_ctx = 4096;
  policy->choose(machine(clock), question, [done = std::move(done)](const auto& choice) {
    const Result<void> outcome = choice ? Result<void>() : choice.error().within("self-test");
    done(choice && choice->num_ctx == 0 ? Error("self-test: it chose num_ctx 0") : outcome);
  });
}

Result<std::vector<CheckedPlugin>> check_plugin_file(const std::string& path, const Settings& settings) {
  if (const auto described = describe_library(path); !described) {  // what breaks at once does so elsewhere
    return described.error();
  }
  const auto library = PluginLibrary::open(path);
  if (!library) {
    return library.error();
  }
  std::vector<CheckedPlugin> out;
  for (const PluginInfo& info : (*library)->plugins()) {
    const auto config = PluginConfig::check(info, values_of(settings, info.id));
    if (config) {
      if (auto tried = try_roles(*library, info, *config, settings); !tried) {
        return tried.error().within(path);
      }
    }
    out.push_back({info, config ? "" : config.error().text()});
    out.back().info.table = {};  // the library is let go
  }
  return out;
}

}  // namespace llamavisor
