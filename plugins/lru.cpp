// lru: the model that was used least recently goes first.
//
// Every model that may be evicted is ranked, the most recently used one last: how many of them have to go is
// the budget's business. There is no period of grace, because a model that was used a moment ago is last in
// this order anyway, and leaving it out would break the budget.
#include "orders.h"

namespace {

using namespace llamavisor;

class Lru final : public Eviction {
 public:
  Lru(Host /*host*/, const Config& /*config*/) {}
  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    orders::rank_by(snapshot, out, orders::lru);
  }
};

}  // namespace

LLV_PLUGIN(Lru, "lru", "1.0.0", "Evicts the model that was used least recently")
