// gdsf: the model goes first whose use is worth least: rarely used, quickly loaded, large.
// Formula and source: frequency_orders.h.
#include "frequency_orders.h"

namespace {

using namespace llamavisor;

class GreedyDual final : public Eviction {
 public:
  GreedyDual(Host /*host*/, const Config& config)
      : order_(config.duration("half_life"), config.duration("unmeasured")) {}
  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    order_.learn(snapshot);
    orders::rank_by(snapshot, out,
                    [this](const Model& model, orders::Place& place) { order_.place(model, place); });
  }

 private:
  orders::Gdsf order_;
};

}  // namespace

LLV_PLUGIN(GreedyDual, "gdsf", "1.0.0",
           "Evicts the model that costs least to do without, by measured reloads",
           key(LLV_KEY_DURATION, "half_life", "30m", "a use counts half after this time", 1e9, 2.6e15),
           key(LLV_KEY_DURATION, "unmeasured", "10s",
               "how long a load is taken to last while none of the model was measured", 1e6, 3.6e12))
