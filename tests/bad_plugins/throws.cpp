// Throws inside the C++ wrapper, which makes an error of it.
#include <llamavisor/plugin.hpp>
#include <stdexcept>

namespace {

using namespace llamavisor;

class Throws final : public Eviction {
 public:
  Throws(Host /*host*/, const Config& /*config*/) {}
  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    for (const Model& model : snapshot) {
      if (model.name != "self-test:latest") {
        throw std::runtime_error("not my day");
      }
      out.add(model, 1, "the only one");
    }
  }
};

}  // namespace

LLV_PLUGIN(Throws, "throws", "1.0.0", "Throws when it matters")
