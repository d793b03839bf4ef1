// largest: the model that gives back most memory goes first, so that as few as possible have to go.
#include "orders.h"

namespace {

using namespace llamavisor;

class Largest final : public Eviction {
 public:
  Largest(Host /*host*/, const Config& /*config*/) {}
  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    orders::rank_by(snapshot, out, orders::largest);
  }
};

}  // namespace

LLV_PLUGIN(Largest, "largest", "1.0.0", "Evicts the model that gives back most memory")
