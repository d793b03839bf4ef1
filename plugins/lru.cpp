// lru: the model that was used least recently goes first.
//
// Score = seconds since the last use. Every model that may be evicted is ranked, the most recently used one
// last: how many of them have to go is the budget's business. There is no period of grace, because a model
// that was used a moment ago is last in this order anyway, and leaving it out would break the budget.
//
// A model whose last use nobody saw counts from its load; if that is unknown as well it goes last, because
// it may be in use.
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>

namespace {

using namespace llamavisor;

class Lru final : public Eviction {
 public:
  Lru(Host /*host*/, const Config& /*config*/) {}

  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    for (const Model& model : snapshot) {
      if (model.evictable()) {
        const auto age = model.idle ? model.idle : model.resident;
        out.add(model, std::chrono::duration<double>(age.value_or(nanoseconds(0))).count(), reason(model));
      }
    }
  }

 private:
  static std::string reason(const Model& model) {
    if (model.idle) {
      return "least recently used: idle for " + text::duration(*model.idle);
    }
    return model.resident ? "not used since it was loaded " + text::duration(*model.resident) + " ago"
                          : "its last use is unknown";
  }
};

}  // namespace

LLV_PLUGIN(Lru, "lru", "1.0.0", "Evicts the model that was used least recently")
