#include "simulate/history_trace.h"

#include <algorithm>
#include <map>

namespace llamavisor {
namespace {

using Milliseconds = std::chrono::milliseconds;

struct Known {
  std::uint32_t index = 0;
  std::int64_t loads = 0;
  Milliseconds sum{0};
};

std::map<std::string, Known> add_models(const std::vector<HistoryLoad>& loads, Trace& trace) {
  std::map<std::string, Known> out;
  for (const HistoryLoad& load : loads) {
    const auto [it, fresh] = out.try_emplace(
        load.model, Known{static_cast<std::uint32_t>(trace.models.size()), 0, Milliseconds(0)});
    if (fresh) {
      trace.models.push_back({load.model, 0, Milliseconds(0), stand_in_blob(load.model)});
    }
    TraceModel& model = trace.models[it->second.index];
    it->second.sum += load.time;
    model.reload = it->second.sum / ++it->second.loads;
    model.bytes = std::max<std::uint64_t>(load.bytes, 1);
    model.blob = load.blob.empty() ? model.blob : load.blob;
  }
  return out;
}

}  // namespace

RecordedTrace trace_of(const std::vector<HistoryRequest>& requests, const std::vector<HistoryLoad>& loads) {
  RecordedTrace out;
  const auto known = add_models(loads, out.trace);
  for (const HistoryRequest& request : requests) {
    const auto model = known.find(request.model);
    if (model == known.end()) {
      ++out.left_out;
      continue;
    }
    out.trace.requests.push_back({std::chrono::duration_cast<Milliseconds>(request.at.time_since_epoch()),
                                  std::max(request.service, Milliseconds(0)), std::nullopt,
                                  model->second.index});
  }
  return out;
}

}  // namespace llamavisor
