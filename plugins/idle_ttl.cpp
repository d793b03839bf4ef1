// idle_ttl: a model that was idle for its time goes, also when memory is not short.
//
// When memory is short, the models go in the order of score = idle / ttl: the one that is furthest through
// its time first. Models whose time is "never" come after all others, the least recently used of them first.
// Ollama's own keep_alive ends idle models too: set [server] keep_alive = "-1" to leave it to this policy.
#include "names.h"
#include "orders.h"

namespace {

using namespace llamavisor;

struct Rule {
  std::string glob;
  std::optional<nanoseconds> ttl;  // absent: never
};

nanoseconds parse_ttl(const std::string& entry, const std::string& text) {
  if (const auto parsed = text::parse_duration(text); parsed && parsed->count() > 0) {
    return *parsed;
  }
  throw PluginError(LLV_E_INVALID, "models: \"" + entry + "\": \"" + text +
                                       "\" is not a duration such as \"30m\", nor \"never\"");
}

// "embed*=never"
Rule parse_rule(const std::string& entry) {
  const std::size_t equals = entry.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    throw PluginError(LLV_E_INVALID, "models: \"" + entry + "\" is not a rule; write \"llama3*=30m\"");
  }
  const std::string time = entry.substr(equals + 1);
  return {entry.substr(0, equals), time == "never" ? std::nullopt : std::optional(parse_ttl(entry, time))};
}

class IdleTtl final : public Eviction {
 public:
  IdleTtl(Host /*host*/, const Config& config) : ttl_(config.duration("ttl")) {
    for (const std::string& entry : config.list("models")) {
      rules_.push_back(parse_rule(entry));
    }
  }

  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    orders::rank_by(snapshot, out, [this](const Model& model, orders::Place& at) { place(model, at); });
  }

  void due(const Snapshot& snapshot, Victims& out) override {
    for (const Model& model : snapshot) {
      const auto ttl = ttl_of(model);
      if (model.evictable() && ttl && model.idle && *model.idle >= *ttl) {
        orders::Place at;
        place(model, at);
        out.add(model, at.score, at.reason);
      }
    }
  }

 private:
  [[nodiscard]] std::optional<nanoseconds> ttl_of(const Model& model) const {
    for (const Rule& rule : rules_) {
      if (name_matches(rule.glob, model.name)) {
        return rule.ttl;
      }
    }
    return ttl_;
  }

  void place(const Model& model, orders::Place& out) const {
    const double idle_s = orders::seconds(model.idle.value_or(nanoseconds(0)));
    out.reason.append("idle for ").append(text::duration(model.idle.value_or(nanoseconds(0))));
    if (const auto ttl = ttl_of(model)) {
      out.score = 1 + idle_s / orders::seconds(*ttl);
      out.reason.append(" of ").append(text::duration(*ttl));
    } else {
      out.score = idle_s / (idle_s + 60);
      out.reason.append(", without a limit");
    }
  }

  nanoseconds ttl_;
  std::vector<Rule> rules_;
};

}  // namespace

LLV_PLUGIN(IdleTtl, "idle_ttl", "1.0.0", "Unloads models that were idle for their time",
           key(LLV_KEY_DURATION, "ttl", "10m", "how long a model may be idle", 1e9, 2.6e15),
           key(LLV_KEY_STR_LIST, "models", "[]",
               "glob=time for some models, the first that fits: [\"llama3*=1h\", \"embed*=never\"]"))
