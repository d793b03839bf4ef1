// largest: the model that gives back most memory goes first, so that as few as possible have to go.
//
// Score = bytes that the budget counts for the model. Equal sizes, and models of unknown size (which go
// last), are ordered by their idle time: it is at most a tie-breaker, below one byte.
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>

namespace {

using namespace llamavisor;

class Largest final : public Eviction {
 public:
  Largest(Host /*host*/, const Config& /*config*/) {}

  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    for (const Model& model : snapshot) {
      if (model.evictable()) {
        const auto size = model.size ? model.size : model.rss;
        out.add(model, static_cast<double>(size.value_or(0)) + tie_breaker(model),
                size ? "largest: gives back " + text::bytes(*size) : "its size is unknown");
      }
    }
  }

 private:
  // 0 to 1, growing with the idle time.
  static double tie_breaker(const Model& model) {
    const double idle_s = std::chrono::duration<double>(model.idle.value_or(nanoseconds(0))).count();
    return idle_s / (idle_s + 60);
  }
};

}  // namespace

LLV_PLUGIN(Largest, "largest", "1.0.0", "Evicts the model that gives back most memory")
