// What the control API may ask; what it may change is in supervisor_config.cpp.
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "app/status_json.h"
#include "app/supervisor.h"
#include "base/units.h"
#include "ollama/run_on_worker.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

class HeldStream final : public ControlStream {
 public:
  explicit HeldStream(std::shared_ptr<void> handle) : handle_(std::move(handle)) {}

 private:
  std::shared_ptr<void> handle_;
};

std::uint64_t footprint_sum(const Ledger& ledger) {
  std::uint64_t sum = 0;
  for (const auto& [key, residency] : ledger.all()) {
    sum += residency->footprint_bytes.value_or(0);
  }
  return sum;
}

json::object server_json(const ServerProcess& server, SteadyTime now) {
  json::object out{{"state", to_string(server.state())},
                   {"version", server.version()},
                   {"restarts", server.restarts()},
                   {"path", server.executable()}};
  if (server.pid()) {
    out["pid"] = *server.pid();
  }
  if (server.port()) {
    out["port"] = *server.port();
  }
  if (server.ready_since()) {
    out["uptime_ms"] = to_ms(now - *server.ready_since());
  }
  if (server.last_failure()) {
    out["last_error"] = server.last_failure()->sentence;
  }
  return out;
}

json::object installed_json(const InstalledModel& model, const AdmissionDesk& desk, const Ledger& ledger,
                            const ServerTasks& tasks) {
  std::uint32_t num_ctx = model.param_num_ctx.value_or(desk.default_num_ctx());
  if (model.shape && model.shape->context_length) {
    num_ctx = std::min(num_ctx, *model.shape->context_length);
  }
  const Forecast forecast = tasks.forecast(model, num_ctx);
  const auto resident = ledger.find_key(model.blob_digest);
  const std::uint64_t used = ledger.used_bytes();
  return {{"name", model.name},
          {"size_bytes", model.weights_bytes},
          {"forecast_bytes", forecast.bytes},
          {"forecast_basis", forecast.basis},
          {"num_ctx", num_ctx},
          {"fits", forecast.bytes <= desk.limit_bytes()},
          {"fits_now", resident != nullptr || used + forecast.bytes <= desk.limit_bytes()},
          {"resident", resident != nullptr}};
}

json::object check(const std::string& name, bool fine, const std::string& detail, const std::string& mend) {
  return {{"name", name}, {"ok", fine}, {"detail", detail}, {"mend", fine ? "" : mend}};
}

}  // namespace

json::object Supervisor::ps() {
  json::array models;
  for (const auto& [key, residency] : ledger_.all()) {
    models.push_back(model_json(*residency, ledger_.overflows(*residency), ledger_.pinned(*residency),
                                desk_.waiting_for(residency->name), clock_.now(), clock_.wall()));
  }
  return {{"models", std::move(models)}};
}

json::object Supervisor::status() {
  json::array notifiers;
  for (const NotifierState& state : notify_.states()) {
    notifiers.push_back(json::object{{"id", state.id}, {"state", state.state}, {"detail", state.detail}});
  }
  json::array warnings;
  for (const std::string& warning : warnings_) {
    warnings.emplace_back(warning);
  }
  if (!tasks_.ps_answers()) {
    warnings.emplace_back("/api/ps does not answer; models are known from their processes");
  }
  for (const auto& [id, entry] : quarantine_.entries()) {
    warnings.emplace_back("plugin " + id + " is in quarantine: " + entry.reason +
                          " (llamavisor plugin trust " + id + ")");
  }
  json::object out{{"version", LLV_VERSION},
                   {"pid", getpid()},
                   {"uptime_ms", to_ms(clock_.now() - started_at_)},
                   {"listen", gateway_->address()},
                   {"profile", config_.settings.profile},
                   {"server", server_json(server_, clock_.now())},
                   {"memory", memory_json(desk_.sample())},
                   {"limit", config_.limit_text()},
                   {"limit_bytes", desk_.limit_bytes()},
                   {"used_bytes", ledger_.used_bytes()},
                   {"footprint_bytes", footprint_sum(ledger_)},
                   {"models", ps().at("models")},
                   {"default_num_ctx", started_num_ctx_},
                   {"eviction_policy", engine_.eviction_id()},
                   {"context_policy", engine_.context_id()},
                   {"notifiers", std::move(notifiers)},
                   {"waiting", desk_.waiting()},
                   {"connections", gateway_->connections()},
                   {"quarantine", quarantine()},
                   {"warnings", std::move(warnings)}};
  if (!engine_.shadow().id().empty()) {
    out["shadow"] = compare();
  }
  if (const auto last = events_.last(EventKind::eviction)) {
    out["last_eviction"] = event_json(*last);
  }
  return out;
}

void Supervisor::models(ControlCallback done) {
  run_on_worker(
      workers_, io_, [store = tasks_.models()] { return store->list(); },
      [this, done = std::move(done)](const std::vector<InstalledModel>& models) {
        json::array out;
        for (const InstalledModel& model : models) {
          out.push_back(installed_json(model, desk_, ledger_, tasks_));
        }
        done(json::object{{"models", std::move(out)}});
      });
}

void Supervisor::evict(const std::string& model, const std::string& reason, ControlCallback done) {
  const std::string name = canonical_model_name(model);
  const auto residency = ledger_.find(name);
  if (!residency) {
    done(ControlError{404, Error(name + " is not resident", "see llamavisor ps")});
    return;
  }
  if (ledger_.pinned(*residency)) {
    done(ControlError{409, Error(name + " is pinned", "llamavisor unpin " + name)});
    return;
  }
  executor_.submit({.residency = residency,
                    .kind = EventKind::eviction,
                    .why = reason.empty() ? "asked for by hand" : reason,
                    .drain_timeout = config_.settings.server.drain_timeout,
                    .unload_timeout = config_.settings.memory.unload_timeout,
                    .done = [name, done = std::move(done)](const Result<UnloadOutcome>& outcome) {
                      if (!outcome) {
                        done(ControlError{504, outcome.error()});
                        return;
                      }
                      const std::string told =
                          outcome->sentence.empty() ? name + " went by itself." : outcome->sentence;
                      json::object answer{{"model", name}, {"sentence", told}};
                      if (outcome->freed_bytes) {
                        answer["freed_bytes"] = *outcome->freed_bytes;
                      }
                      done(std::move(answer));
                    }});
}

void Supervisor::doctor(ControlCallback done) {
  json::array checks;
  const bool ready = server_.state() == ServerState::ready;
  checks.push_back(check("server", ready, "Ollama " + server_.version() + " is " + to_string(server_.state()),
                         "see llamavisor logs"));
  checks.push_back(check("api/ps", tasks_.ps_answers(), tasks_.ps_answers() ? "answers" : tasks_.ps_error(),
                         "models are known from their processes meanwhile"));
  checks.push_back(check("memory pressure", sampler_.has_psi_trigger(),
                         sampler_.has_psi_trigger() ? "the kernel reports it (PSI)" : "no PSI trigger",
                         "without it pressure is noticed at the next sample; boot with psi=1"));
  for (const NotifierState& state : notify_.states()) {
    checks.push_back(check("notifier " + state.id, state.state != "failing",
                           state.detail.empty() ? state.state : state.detail, "start a notification daemon"));
  }
  for (const auto& [id, entry] : quarantine_.entries()) {
    checks.push_back(
        check("plugin " + id, false, "in quarantine: " + entry.reason, "llamavisor plugin trust " + id));
  }
  for (const std::string& warning : warnings_) {
    checks.push_back(check("plugins", false, warning, "llamavisor plugin list"));
  }
  done(json::object{{"checks", std::move(checks)}});
}

std::string Supervisor::log_tail(std::size_t lines) {
  std::string out;
  for (const std::string& line : log_.ring().tail(lines)) {
    out += line + "\n";
  }
  return out;
}

std::unique_ptr<ControlStream> Supervisor::follow_log(StreamSink sink) {
  return std::make_unique<HeldStream>(
      log_.ring().listen([sink = std::move(sink)](const std::string& line) { sink(line + "\n"); }));
}

std::string Supervisor::events_since(std::uint64_t since) {
  std::string out;
  for (const Event& event : events_.all()) {
    if (event.id > since) {
      out += json::serialize(event_json(event)) + "\n";
    }
  }
  return out;
}

std::unique_ptr<ControlStream> Supervisor::follow_events(StreamSink sink) {
  return std::make_unique<HeldStream>(events_.listen(
      [sink = std::move(sink)](const Event& event) { sink(json::serialize(event_json(event)) + "\n"); }));
}

}  // namespace llamavisor
