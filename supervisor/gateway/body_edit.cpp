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

// A key of the top object.
Splice top_splice(const BodyFacts& facts, const std::optional<Span>& at, const std::string& key,
                  const std::string& value) {
  if (at) {
    return {*at, value};
  }
  return {{facts.object_begin, 0}, "\"" + key + "\":" + value + (facts.object_empty ? "" : ",")};
}

}  // namespace

std::string keep_alive_json(const KeepAlive& keep_alive) {
  return keep_alive.forever ? "-1" : "\"" + std::to_string(keep_alive.duration.count()) + "ms\"";
}

std::string edit_body(std::string_view body, const BodyFacts& facts, const BodyEdits& edits) {
  std::vector<Splice> splices;
  if (edits.num_ctx) {
    splices.push_back(num_ctx_splice(facts, *edits.num_ctx));
  }
  if (edits.keep_alive) {
    splices.push_back(
        top_splice(facts, facts.keep_alive_at, "keep_alive", keep_alive_json(*edits.keep_alive)));
  }
  if (edits.forbid_truncation) {
    splices.push_back(top_splice(facts, facts.truncate_at, "truncate", "false"));
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
