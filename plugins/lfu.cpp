// lfu: the model that is used least often goes first, old uses counting less and less.
// Formula and source: use_memory.h.
#include "frequency_orders.h"

namespace {

using namespace llamavisor;

class Lfu final : public Eviction {
 public:
  Lfu(Host /*host*/, const Config& config) : order_(config.duration("half_life")) {}
  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    order_.learn(snapshot);
    orders::rank_by(snapshot, out,
                    [this](const Model& model, orders::Place& place) { order_.place(model, place); });
  }

 private:
  orders::Lfu order_;
};

}  // namespace

LLV_PLUGIN(Lfu, "lfu", "1.0.0", "Evicts the model that is used least often",
           key(LLV_KEY_DURATION, "half_life", "15m",
               "a use counts half after this time; longer: steadier, shorter: nearer to lru", 1e9, 2.6e15))
