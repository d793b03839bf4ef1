// Settings, profiles and plugins of the running supervisor: what applies live, and what waits.
#include <boost/json/array.hpp>

#include "app/status_json.h"
#include "app/supervisor.h"
#include "base/log.h"
#include "base/units.h"
#include "ollama/run_on_worker.h"
#include "store/overrides.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

json::array names(const std::vector<std::string>& keys) {
  json::array out;
  for (const std::string& key : keys) {
    out.emplace_back(key);
  }
  return out;
}

ControlAnswer bad_request(unsigned status, const Error& error) {
  return ControlError{status, error};
}

std::vector<std::string> plugin_dirs(const Settings& settings) {
  std::vector<std::string> out{plugin_dir()};
  out.insert(out.end(), settings.plugin_dirs.begin(), settings.plugin_dirs.end());
  return out;
}

}  // namespace

// Everything live takes its values from here, at start and on each reload.
void Supervisor::apply(const LoadedConfig& config) {
  const Settings& settings = config.settings;
  set_log_level(settings.log.level);
  notify_.configure(settings.notify);
  plugin_host_.configure(plugin_dirs(settings), settings);
  relief_.configure({settings.memory.min_available_bytes, settings.memory.psi_full_percent},
                    settings.memory.unload_timeout);
  ledger_.set_thrash_window(settings.policy.thrash_window);
  sampler_.set_interval(settings.monitor_interval);
  desk_.configure(settings, config.limit_bytes(), default_num_ctx());
  warnings_.insert(config.warnings.begin(), config.warnings.end());
}

// The running server's own default, once there is one.
std::uint32_t Supervisor::default_num_ctx() const {
  constexpr std::uint32_t kOllamas = 4096;
  const std::uint32_t set = config_.settings.context.default_num_ctx;
  return started_num_ctx_ > 0 ? started_num_ctx_ : set > 0 ? set : kOllamas;
}

// The forecast counts with what this server is started with, whatever is reloaded while it runs.
Result<LaunchPlan> Supervisor::launch_plan(std::uint16_t port, bool automatic_restart) {
  tasks_.configure(config_.settings);
  return plan_launch({.settings = config_.settings,
                      .origins = config_.origins,
                      .own = config_.environment,
                      .port = port,
                      .num_ctx = started_num_ctx_,
                      .automatic_restart = automatic_restart,
                      .home = state_dir()});
}

// A policy that does not load is told and done without: the built-in one serves. The context policy is asked
// for the server's default before the server is started.
void Supervisor::load_policies(std::function<void()> done) {
  load_notifiers();
  load_eviction(config_.settings.policy.eviction, [](const Result<void>&) {});
  load_shadow(config_.settings.policy.shadow, [](const Result<void>&) {});
  load_context(config_.settings.policy.context, [this, done = std::move(done)](const Result<void>&) {
    ContextQuestion question;
    question.default_num_ctx = default_num_ctx();
    question.room_bytes = desk_.limit_bytes();
    if (config_.settings.context.default_num_ctx > 0) {
      started_num_ctx_ = config_.settings.context.default_num_ctx;
      done();
      return;
    }
    Snapshot machine = desk_.snapshot();
    machine.available_bytes = std::min(desk_.limit_bytes(), config_.machine_bytes);
    engine_.choose_context(machine, question, [this, done](const ContextChoice& choice) {
      started_num_ctx_ = choice.num_ctx;
      log_info("num_ctx " + std::to_string(choice.num_ctx) + " by default: " + choice.reason);
      done();
    });
  });
}

void Supervisor::load_eviction(const std::string& id, std::function<void(Result<void>)> done) {
  plugin_host_.eviction(id, [this, done = std::move(done)](auto policy) {
    if (!policy) {
      engine_failed("eviction", policy.error());
      done(policy.error());
      return;
    }
    engine_.use(std::move(*policy));
    done({});
  });
}

void Supervisor::load_context(const std::string& id, std::function<void(Result<void>)> done) {
  plugin_host_.context(id, [this, done = std::move(done)](auto policy) {
    if (!policy) {
      engine_failed("context", policy.error());
      done(policy.error());
      return;
    }
    engine_.use(std::move(*policy));
    done({});
  });
}

void Supervisor::engine_failed(const std::string& role, const Error& error) {
  const std::string in_charge = role == "eviction" ? engine_.eviction_id() : engine_.context_id();
  events_.add({.kind = EventKind::plugin_failed,
               .summary = "A plugin did not load",
               .sentence = "The " + role + " plugin did not load, " + in_charge +
                           " stays in charge: " + error.text() + "."});
}

void Supervisor::load_notifiers() {
  const auto wanted = config_.settings.policy.notify;
  const auto loaded = std::make_shared<std::vector<std::shared_ptr<Notifier>>>();
  const auto left = std::make_shared<std::size_t>(wanted.size());
  if (wanted.empty()) {
    notify_.use({});  // otherwise the old ones serve until the new ones have taken over their state
  }
  for (const std::string& id : wanted) {
    plugin_host_.notifier(id, [this, loaded, left, id](auto notifier) {
      if (notifier) {
        loaded->push_back(std::move(*notifier));
      } else {
        warnings_.insert("notifier " + id + ": " + notifier.error().text());
        log_warn("notifier " + id + ": " + notifier.error().text());
      }
      if (--*left == 0) {
        notify_.use(std::move(*loaded));
      }
    });
  }
}

// New values of [plugins.<id>] go to the instance in charge; `replace` brings a new one where it cannot take
// them.
void Supervisor::refresh_plugin(const std::string& role, const std::string& id, const Settings& before,
                                std::function<void()> replace) {
  if (is_isolated(before, id) != is_isolated(config_.settings, id)) {
    replace();
    return;
  }
  if (values_of(before, id) == values_of(config_.settings, id)) {
    return;
  }
  plugin_host_.reconfigure(
      id, role, [this, role, id, replace = std::move(replace)](const Result<bool>& taken) {
        if (!taken) {
          events_.add({.kind = EventKind::plugin_failed,
                       .summary = "A plugin kept its old values",
                       .sentence = "The " + role + " plugin " + id +
                                   " keeps its old values: " + taken.error().text() + "."});
        } else if (!*taken) {
          replace();
        }
      });
}

void Supervisor::refresh_plugins(const Settings& before) {
  const PolicySettings& policy = config_.settings.policy;
  const auto ignored = [](const Result<void>&) {};
  if (before.policy.eviction != policy.eviction) {
    load_eviction(policy.eviction, ignored);
  } else {
    refresh_plugin("eviction", policy.eviction, before,
                   [=, this, id = policy.eviction] { load_eviction(id, ignored); });
  }
  if (before.policy.context != policy.context) {
    load_context(policy.context, ignored);
  } else {
    refresh_plugin("context", policy.context, before,
                   [=, this, id = policy.context] { load_context(id, ignored); });
  }
  if (before.policy.shadow != policy.shadow) {
    load_shadow(policy.shadow, ignored);
  } else if (!policy.shadow.empty()) {
    refresh_plugin("eviction", policy.shadow, before,
                   [=, this, id = policy.shadow] { load_shadow(id, ignored); });
  }
  if (before.policy.notify != policy.notify) {
    load_notifiers();
    return;
  }
  for (const std::string& id : policy.notify) {
    refresh_plugin("notify", id, before, [this] { load_notifiers(); });
  }
}

// --- changes while running -----------------------------------------------------------------------------

// A broken file changes nothing; a good one applies what it can and names what waits.
ControlAnswer Supervisor::reconfigure(Result<LoadedConfig> fresh) {
  if (!fresh) {
    events_.add({.kind = EventKind::config_rejected,
                 .summary = "The configuration is wrong",
                 .sentence = "The configuration was not taken over, the last good one stays: " +
                             fresh.error().text()});
    return bad_request(422, fresh.error());
  }
  const ConfigDiff changes = diff(config_.result, fresh->result);
  const Settings old = config_.settings;
  config_ = std::move(*fresh);
  apply(config_);
  refresh_plugins(old);
  relief_.check();
  events_.add({.kind = EventKind::config_reloaded,
               .summary = "Configuration reloaded",
               .sentence = "Configuration reloaded: " + std::to_string(changes.applied.size()) +
                           " values applied, " + std::to_string(changes.waits_for_restart.size()) +
                           " wait for a restart."});
  return json::object{{"applied", names(changes.applied)},
                      {"waits_for_restart", names(changes.waits_for_restart)}};
}

ControlAnswer Supervisor::reload() {
  return reconfigure(LoadedConfig::load(config_.options));
}

// Writes overrides, then reads everything anew: what was saved is what is in force.
ControlAnswer Supervisor::override_and_reload(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  if (auto saved = change_overrides(overrides_path(), changes); !saved) {
    return bad_request(422, saved.error());
  }
  return reload();
}

json::object Supervisor::limit() {
  return {{"limit", config_.limit_text()},
          {"limit_bytes", desk_.limit_bytes()},
          {"used_bytes", ledger_.used_bytes()},
          {"origin", config_.result.values.at("memory.limit").origin}};
}

// A limit given as a flag would win over the saved one; the newer word counts.
ControlAnswer Supervisor::set_limit(const std::string& text) {
  if (const auto parsed = parse_limit(text); !parsed) {
    return bad_request(422, parsed.error());
  }
  const std::string flag = std::exchange(config_.options.limit, "");
  const std::uint64_t before = desk_.limit_bytes();
  if (auto done = override_and_reload({{"memory.limit", to_toml(ConfigValue(text))}}); !done) {
    config_.options.limit = flag;
    return done;
  }
  events_.add({.kind = EventKind::limit_changed,
               .summary = "Limit changed",
               .sentence = "The budget is " + format_bytes(desk_.limit_bytes()) + " now, it was " +
                           format_bytes(before) + "."});
  return limit();
}

ControlAnswer Supervisor::set_pinned(const std::string& model, bool pinned) {
  const std::string name = canonical_model_name(model);
  const std::string key = "models.\"" + name + "\".pin";
  if (auto done = override_and_reload({{key, pinned ? "true" : "false"}}); !done) {
    return done;
  }
  return json::object{{"model", name}, {"pinned", rule_for(config_.settings, name).pin.value_or(false)}};
}

json::object Supervisor::profiles() {
  json::array out;
  for (const ProfileInfo& profile : list_profiles()) {
    out.push_back(
        json::object{{"name", profile.name}, {"description", profile.description}, {"limit", profile.limit}});
  }
  return {{"current", config_.settings.profile}, {"profiles", std::move(out)}};
}

// The profile's own values are meant, so an overriding limit or policy that was saved before goes.
ControlAnswer Supervisor::use_profile(const std::string& name) {
  const auto flags = config_.options;
  auto fresh_options = flags;
  fresh_options.limit.clear();
  fresh_options.profile = name;
  if (const auto possible = LoadedConfig::load(fresh_options); !possible) {
    return bad_request(422, possible.error());
  }
  config_.options.profile.clear();
  config_.options.limit.clear();
  auto done = override_and_reload({{"profile", to_toml(ConfigValue(name))}, {"memory.limit", ""}});
  if (!done) {
    config_.options = flags;
  } else {
    done->insert_or_assign("name", config_.settings.profile);
    done->insert_or_assign("limit_bytes", desk_.limit_bytes());
  }
  return done;
}

json::object Supervisor::plugin_entry(const PluginInfo& plugin, const std::string& role) const {
  json::object out = plugin_json(plugin);
  const auto& notify = config_.settings.policy.notify;
  const auto bad = quarantine_.entries().find(plugin.id);
  const bool trusted = bad == quarantine_.entries().end();
  out["role"] = role;
  out["state"] = trusted ? "ok" : "quarantined";
  out["detail"] = trusted ? "" : bad->second.reason;
  out["isolated"] = is_isolated(config_.settings, plugin.id);
  out["in_charge"] = (role == "eviction" && engine_.eviction_id() == plugin.id) ||
                     (role == "context" && engine_.context_id() == plugin.id) ||
                     (role == "notify" && std::find(notify.begin(), notify.end(), plugin.id) != notify.end());
  return out;
}

// Looking at the files takes a while.
void Supervisor::plugins(ControlCallback done) {
  run_on_worker(
      workers_, io_, [dirs = plugin_host_.dirs()] { return list_plugins(dirs); },
      [this, done = std::move(done)](const std::vector<ListedPlugin>& files) {
        json::array out;
        for (const ListedPlugin& file : files) {
          if (!file.error.empty()) {
            out.push_back(json::object{
                {"path", file.path}, {"state", "not usable"}, {"detail", file.error}, {"in_charge", false}});
          }
          for (const PluginInfo& plugin : file.plugins) {
            for (const std::string& role : plugin.roles) {
              out.push_back(plugin_entry(plugin, role));
            }
          }
        }
        done(json::object{{"plugins", std::move(out)}, {"dirs", names(plugin_host_.dirs())}});
      });
}

// The new one has proved itself before it is saved as the choice; a failure leaves everything as it was.
void Supervisor::use_plugin(const std::string& role, const std::string& name, ControlCallback done) {
  if (role == "notify") {
    done(override_and_reload({{"policy.notify", to_toml(ConfigValue(std::vector<std::string>{name}))}}));
    return;
  }
  if (role != "eviction" && role != "context") {
    done(ControlError{422, Error("there is no role " + role, "the roles are eviction, context and notify")});
    return;
  }
  const std::string previous = role == "eviction" ? engine_.eviction_id() : engine_.context_id();
  const auto loaded = [this, role, name, previous, done = std::move(done)](const Result<void>& outcome) {
    if (!outcome) {
      done(ControlError{422, outcome.error()});
      return;
    }
    config_.settings.policy.eviction = role == "eviction" ? name : config_.settings.policy.eviction;
    config_.settings.policy.context = role == "context" ? name : config_.settings.policy.context;
    if (auto saved = override_and_reload({{"policy." + role, to_toml(ConfigValue(name))}}); !saved) {
      done(saved);
      return;
    }
    events_.add({.kind = EventKind::policy_changed,
                 .summary = "Policy changed",
                 .sentence = "The " + role + " policy is " + name + " now, it was " + previous + "."});
    done(json::object{{"role", role}, {"name", name}, {"previous", previous}});
  };
  if (role == "eviction") {
    load_eviction(name, loaded);
  } else {
    load_context(name, loaded);
  }
}

json::object Supervisor::config() {
  return config_json(config_, server_.port().value_or(0), started_num_ctx_, server_.restarts() > 0);
}

}  // namespace llamavisor
