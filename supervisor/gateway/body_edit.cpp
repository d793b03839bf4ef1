#include <algorithm>
#include <vector>

#include "gateway/body_scan.h"

namespace llamavisor {
namespace {

struct Splice {
  Span at;
  std::string text;
};

// num_ctx where it stands, or into the last options object, or as a new options object.
Splice num_ctx_splice(const BodyFacts& facts, std::uint32_t num_ctx) {
  const std::string pair = "\"num_ctx\":" + std::to_string(num_ctx);
  if (facts.num_ctx_at) {
    return {*facts.num_ctx_at, std::to_string(num_ctx)};
  }
  if (facts.options_at && facts.options_at->size > 1) {  // null
    return {*facts.options_at, "{" + pair + "}"};
  }
  if (facts.options_at) {
    return {{facts.options_at->begin + 1, 0}, facts.options_empty ? pair : pair + ","};
  }
  return {{facts.object_begin, 0}, "\"options\":{" + pair + "}" + (facts.object_empty ? "" : ",")};
}

Splice keep_alive_splice(const BodyFacts& facts, const KeepAlive& keep_alive) {
  if (facts.keep_alive_at) {
    return {*facts.keep_alive_at, keep_alive_json(keep_alive)};
  }
  return {{facts.object_begin, 0},
          "\"keep_alive\":" + keep_alive_json(keep_alive) + (facts.object_empty ? "" : ",")};
}

}  // namespace

std::string keep_alive_json(const KeepAlive& keep_alive) {
  return keep_alive.forever ? "-1" : "\"" + std::to_string(keep_alive.duration.count()) + "ms\"";
}

std::string edit_body(std::string_view body, const BodyFacts& facts, std::optional<std::uint32_t> num_ctx,
                      const std::optional<KeepAlive>& keep_alive) {
  std::vector<Splice> splices;
  if (num_ctx) {
    splices.push_back(num_ctx_splice(facts, *num_ctx));
  }
  if (keep_alive) {
    splices.push_back(keep_alive_splice(facts, *keep_alive));
  }
  std::stable_sort(splices.begin(), splices.end(),
                   [](const Splice& a, const Splice& b) { return a.at.begin < b.at.begin; });
  std::string out;
  std::size_t done = 0;
  for (const Splice& splice : splices) {
    out.append(body.substr(done, splice.at.begin - done));
    out.append(splice.text);
    done = splice.at.begin + splice.at.size;
  }
  out.append(body.substr(done));
  return out;
}

}  // namespace llamavisor
