// A study's figures for people and programs. Pure; any thread.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "simulate/study.h"

namespace llamavisor {

// Rows of a table, the first one its head. Times in seconds.
std::vector<std::vector<std::string>> study_rows(const StudyResult& result);

// {"trace": {...}, "results": [{"policy", "limit_bytes", "requests", "warm", "refused", "loads", "evictions",
// "reload_s", "waited_s", "peak_bytes", "over_budget_bytes", "of_bound", "victims": the first
// 1000 names}], "bounds": [{"limit_bytes",
// "reload_s"}], "bound": what it is}
boost::json::object study_json(const Trace& trace, const std::string& name, const StudyResult& result);

// A chart of the reload seconds: a group of bars for each limit, a line where the bound is.
std::string study_svg(const std::string& name, const StudyResult& result);

// "zipf, seed 1: 20000 requests in 7.0 days for 20 models of 61 GB together"
std::string trace_summary(const Trace& trace, const std::string& name);

constexpr const char* kBoundIs =
    "lower bound: Lagrangian dual of the offline problem with variable sizes and costs";

}  // namespace llamavisor
