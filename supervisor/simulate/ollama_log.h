// A trace from what a plain Ollama leaves behind: its access log, and samples of /api/ps.
//
// The access log (the [GIN] lines) tells when a request ended, how long it took and its route, but not its
// model. /api/ps tells which models are loaded, and by expires_at when each was used last: expires_at is the
// end of the last use plus keep_alive. Samples are JSON objects, one a line, each an answer of /api/ps with
// the time (seconds since 1970) as "at":
//   while sleep 5; do curl -s 127.0.0.1:11434/api/ps | jq -c '. + {at: now}'; done >> ps.jsonl
//
// A request is that model's whose last use, by the first sample after it, is nearest to its end; keep_alive
// is taken to be the same for all and is found by the median. When the model was used again before the
// sample, that is a guess. A load takes what the first request after it took longer than the model's middle
// one. Pure; any thread. Local time is that of the log.
#pragma once

#include <istream>

#include "simulate/trace.h"

namespace llamavisor {

struct ImportedTrace {
  Trace trace;
  std::size_t guessed = 0;  // requests whose model is a guess
  std::size_t left_out =
      0;  // requests without a sample after them, or for a model whose size or load is unknown
};

// Errors: a sample that is not one, with its line.
Result<ImportedTrace> import_ollama_log(std::istream& access_log, std::istream& samples);

}  // namespace llamavisor
