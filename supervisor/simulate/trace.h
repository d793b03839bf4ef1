// What a replay is fed with: models with their bytes and the time that loading them takes, and requests.
//
// As text, one JSON object a line; a model's line comes before the requests for it:
//   {"model":"a:latest","bytes":4294967296,"reload_ms":4500,"blob":"sha256:..."}     blob may be left out
//   {"at_ms":1704067200000,"use":"a:latest","service_ms":3000,"keep_alive_ms":-1}    keep_alive_ms too
// at_ms counts from 1970 (UTC), service_ms is what the answer takes once the model is loaded, keep_alive_ms
// is what the request asked Ollama for (negative: for ever). Pure values; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/result.h"

namespace llamavisor {

struct TraceModel {
  std::string name;
  std::uint64_t bytes = 0;
  std::chrono::milliseconds reload{0};
  std::string blob;  // its digest: Ollama orders by it; never empty after read_trace() and make_trace()
};

struct TraceRequest {
  std::chrono::milliseconds at{0};  // since 1970
  std::chrono::milliseconds service{0};
  std::optional<std::chrono::milliseconds> keep_alive;
  std::uint32_t model = 0;  // into Trace::models
};

struct Trace {
  std::vector<TraceModel> models;
  std::vector<TraceRequest> requests;  // by time
};

// At most 10 million requests. Errors name the line. Requests are sorted by time.
Result<Trace> read_trace(std::istream& in);
void write_trace(const Trace& trace, std::ostream& out);

// A made-up digest for a model whose blob is not known: the same for the same name.
std::string stand_in_blob(const std::string& name);

}  // namespace llamavisor
