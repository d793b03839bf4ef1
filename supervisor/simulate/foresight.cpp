#include "simulate/foresight.h"

#include <algorithm>
#include <map>

#include "base/units.h"
#include "policy/guard.h"

namespace llamavisor {
namespace {

class Foresight final : public EvictionPolicy {
 public:
  Foresight(const Trace& trace, SteadyTime start) {
    for (const TraceModel& model : trace.models) {
      models_[model.name].reload_s = std::chrono::duration<double>(model.reload).count();
    }
    for (const TraceRequest& request : trace.requests) {
      models_[trace.models[request.model].name].uses.push_back(start + request.at);
    }
  }
  std::string id() const override { return "foresight"; }

  void rank(const Snapshot& snapshot, std::uint64_t /*need_bytes*/, Done done) override {
    std::vector<RankedVictim> out;
    for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
      if (is_evictable(snapshot.models[i])) {
        out.push_back(place(i, snapshot.models[i], snapshot.now));
      }
    }
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    done(std::move(out));
  }

 private:
  struct Known {
    double reload_s = 0;
    std::vector<SteadyTime> uses;
  };

  // As many requests of a model were served as it had uses: the next one is the one after these.
  [[nodiscard]] RankedVictim place(std::size_t index, const ModelView& model, SteadyTime now) const {
    const Known& known = models_.at(model.name);
    if (model.total_uses >= known.uses.size()) {
      return {index, 0, "it is never asked for again"};
    }
    const auto wait = known.uses[model.total_uses] - now;
    const double wait_s = std::max(std::chrono::duration<double>(wait).count(), 0.0) + 1;
    const double worth =
        known.reload_s / static_cast<double>(std::max<std::uint64_t>(model.charge_bytes, 1)) / wait_s;
    return {
        index, -worth,
        "asked for again in " + format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(wait))};
  }

  std::map<std::string, Known> models_;
};

}  // namespace

std::shared_ptr<EvictionPolicy> make_foresight(const Trace& trace, SteadyTime start) {
  return std::make_shared<Foresight>(trace, start);
}

}  // namespace llamavisor
