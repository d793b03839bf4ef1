// Recorded requests as a trace. Pure; any thread.
#pragma once

#include <vector>

#include "simulate/trace.h"
#include "store/history_db.h"

namespace llamavisor {

struct RecordedTrace {
  Trace trace;
  std::size_t left_out = 0;  // requests for models of which no load was measured
};

// A model has the bytes of its last load, and reloads in the mean time of all its loads.
RecordedTrace trace_of(const std::vector<HistoryRequest>& requests, const std::vector<HistoryLoad>& loads);

}  // namespace llamavisor
