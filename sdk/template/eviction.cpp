// my_plugin: an eviction policy. Change rank().
//
// This one lets the model go first that would be back soonest: the one whose last load took the least time.
// Models that were used within `grace` come after all others.
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>

namespace {

using namespace llamavisor;

class Policy final : public Eviction {
 public:
  // Read the configuration here: it is checked already, and valid only now.
  Policy(Host host, const Config& config) : grace_(config.duration("grace")) {
    host.log(LLV_LOG_INFO, "grace is " + text::duration(grace_));
  }

  // Rank every model that may be evicted; the host takes as many as it needs, highest score first.
  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    for (const Model& model : snapshot) {
      if (!model.evictable()) {
        continue;  // pinned, busy, or on its way
      }
      // What is not known is empty, not zero: choose what that shall mean.
      const nanoseconds reload = model.load_duration.value_or(std::chrono::seconds(10));
      const bool recent = model.idle && *model.idle < grace_;
      const double seconds = std::chrono::duration<double>(reload).count();
      out.add(model, (recent ? 0.0 : 1.0) + 1.0 / (1.0 + seconds),
              "quickest to bring back: loads in " + text::duration(reload));
    }
  }

 private:
  nanoseconds grace_;
};

}  // namespace

// Class, id, version, one line about it, and the keys of [plugins.my_plugin].
LLV_PLUGIN(Policy, "my_plugin", "0.1.0", "Evicts the model that loads fastest",
           key(LLV_KEY_DURATION, "grace", "30s", "models used more recently than this go last", 0, 3.6e12))
