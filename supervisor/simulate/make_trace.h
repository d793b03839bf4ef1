// Made traces. The same kind, seed and number of requests give the same trace on every machine. Pure.
//
// Loading a model takes 1 s and then 1 s for each 1.2 GB of it, as from an ordinary SSD.
//   zipf   20 models of 0.5 to 8 GB; the k-th in popularity is asked for as often as 1/k, at random times
//   day    people at work from 9 to 18 h, Monday to Friday: sessions of questions to one or two of 12 models
//   rag    each question goes to an embedder and then to a chat model; now and then to a reranker or to
//          another model beside them
//   teams  two teams with four models each and none in common; one starts early, the other late
#pragma once

#include <array>
#include <string>

#include "simulate/trace.h"

namespace llamavisor {

constexpr std::array<const char*, 4> kTraceKinds{"zipf", "day", "rag", "teams"};
constexpr std::size_t kMadeRequests = 20'000;

// Errors: `kind` is none of kTraceKinds.
Result<Trace> make_trace(const std::string& kind, std::uint64_t seed, std::size_t requests = kMadeRequests);

}  // namespace llamavisor
