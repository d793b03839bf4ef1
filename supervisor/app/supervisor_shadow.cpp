// The policy that answers beside the one in charge: how it is chosen, and what came of it.
#include "app/status_json.h"
#include "app/supervisor.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

json::object bill_json(const std::string& name, const PolicyBill& bill) {
  return {{"name", name},
          {"evictions", bill.evictions},
          {"evicted_bytes", bill.evicted_bytes},
          {"reloads", bill.reloads},
          {"unmeasured_reloads", bill.unmeasured_reloads},
          {"reload_ms", to_ms(bill.reload_time)}};
}

}  // namespace

// An empty id ends the shadow. One that does not load leaves what was there.
void Supervisor::load_shadow(const std::string& id, std::function<void(Result<void>)> done) {
  if (id.empty()) {
    engine_.use_shadow(nullptr);
    done({});
    return;
  }
  plugin_host_.eviction(id, [this, done = std::move(done)](auto policy) {
    if (!policy) {
      events_.add({.kind = EventKind::plugin_failed,
                   .summary = "A plugin did not load",
                   .sentence = "The shadow policy did not load: " + policy.error().text() + "."});
      done(policy.error());
      return;
    }
    engine_.use_shadow(std::move(*policy));
    done({});
  });
}

void Supervisor::shadow_plugin(const std::string& role, const std::string& name, ControlCallback done) {
  if (role != "eviction") {
    done(ControlError{422, Error("only the eviction role can have a shadow, not " + role)});
    return;
  }
  const std::string id = name == "off" ? "" : name;
  load_shadow(id, [this, id, done = std::move(done)](const Result<void>& outcome) {
    if (!outcome) {
      done(ControlError{422, outcome.error()});
      return;
    }
    config_.settings.policy.shadow = id;  // so that the reload does not load it once more
    if (auto saved = override_and_reload({{"policy.shadow", to_toml(ConfigValue(id))}}); !saved) {
      done(saved);
      return;
    }
    done(compare());
  });
}

json::object Supervisor::compare() {
  const Comparison& counts = engine_.shadow().comparison();
  json::object out{{"role", "eviction"}, {"in_charge", bill_json(engine_.eviction_id(), counts.in_charge)}};
  if (engine_.shadow().id().empty()) {
    return out;
  }
  out["shadow"] = bill_json(engine_.shadow().id(), counts.shadow);
  out["questions"] = counts.questions;
  out["compared"] = counts.compared;
  out["differed"] = counts.differed;
  out["skipped"] = counts.skipped;
  out["failed"] = counts.failed;
  if (!counts.last_error.empty()) {
    out["last_error"] = counts.last_error;
  }
  return out;
}

}  // namespace llamavisor
