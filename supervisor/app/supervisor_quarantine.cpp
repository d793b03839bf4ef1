// Plugins that crashed llamavisor: found out at the next start, kept out of it, trusted again.
#include <boost/json/array.hpp>

#include "app/status_json.h"
#include "app/supervisor.h"
#include "base/log.h"
#include "plugin_host/plugin_calls.h"
#include "store/paths.h"

namespace llamavisor {

namespace json = boost::json;

// Before any plugin is loaded.
void Supervisor::watch_plugins() {
  std::string warning;
  quarantine_ = Quarantine::read(state_dir() + "/quarantine.json", warning);
  if (!warning.empty()) {
    warnings_.insert(warning);
    log_warn(warning);
  }
  std::vector<BlamedPlugin> blamed;
  auto calls = PluginCalls::open(state_dir() + "/plugin_calls", blamed);
  if (calls) {
    plugin_calls_ = *calls;
    plugin_host_.trace_calls(*calls);
  } else {
    log_warn(calls.error().text());
  }
  for (const BlamedPlugin& plugin : blamed) {
    put_in_quarantine(plugin.id, plugin.what);
  }
  quarantine_changed();
}

void Supervisor::put_in_quarantine(const std::string& id, const std::string& reason) {
  events_.add({.kind = EventKind::plugin_failed,
               .summary = "Plugin " + id + " is in quarantine",
               .sentence = "The plugin " + id + " is in quarantine and is not used: " + reason +
                           ". To use it again: llamavisor plugin trust " + id + "."});
  if (auto kept = quarantine_.add(id, {reason, to_unix_ms(clock_.wall())}); !kept) {
    log_warn("the quarantine of " + id +
             " ends with this process, it cannot be written: " + kept.error().text());
  }
}

void Supervisor::quarantine_changed() {
  std::map<std::string, std::string> reasons;
  for (const auto& [id, entry] : quarantine_.entries()) {
    reasons[id] = entry.reason;
  }
  plugin_host_.set_quarantine(std::move(reasons));
}

json::array Supervisor::quarantine() const {
  json::array out;
  for (const auto& [id, entry] : quarantine_.entries()) {
    out.push_back(json::object{{"id", id}, {"reason", entry.reason}, {"since_unix_ms", entry.since_unix_ms}});
  }
  return out;
}

// What the configuration wants of it is loaded at once.
ControlAnswer Supervisor::trust_plugin(const std::string& name) {
  if (!quarantine_.entries().contains(name)) {
    return ControlError{404, Error(name + " is not in quarantine", "see llamavisor plugin list")};
  }
  if (auto lifted = quarantine_.lift(name); !lifted) {
    return ControlError{500, lifted.error()};
  }
  quarantine_changed();
  const PolicySettings& policy = config_.settings.policy;
  const auto ignored = [](const Result<void>&) {};  // a failure is an event
  if (policy.eviction == name) {
    load_eviction(name, ignored);
  }
  if (policy.context == name) {
    load_context(name, ignored);
  }
  if (policy.shadow == name) {
    load_shadow(name, ignored);
  }
  if (std::find(policy.notify.begin(), policy.notify.end(), name) != policy.notify.end()) {
    load_notifiers();
  }
  return json::object{{"name", name}};
}

}  // namespace llamavisor
