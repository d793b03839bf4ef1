#include "plugin_host/victim_sink.h"

#include <algorithm>
#include <cmath>

#include "plugin_host/plugin_text.h"
#include "policy/guard.h"

namespace llamavisor {

std::int32_t VictimSink::add(void* ctx, std::uint32_t index, double score, llv_str reason) noexcept {
  constexpr std::size_t kMaxRefused = 8;
  auto& sink = *static_cast<VictimSink*>(ctx);
  const bool there = index < sink.taken_.size() && !sink.taken_[index];
  const bool fine = there && std::isfinite(score) && is_evictable(sink.snapshot_.models[index]);
  if (!fine && sink.refused_.size() >= kMaxRefused) {
    return LLV_E_REFUSED;
  }
  const std::size_t size = reason.data == nullptr ? 0 : std::min<std::uint64_t>(reason.size, kMaxReasonBytes);
  const std::size_t begin = sink.text_.size();
  sink.text_.append(reason.data, size);
  (fine ? sink.ranked_ : sink.refused_).push_back({index, score, begin, size});
  if (fine) {
    sink.taken_[index] = true;
  }
  return fine ? LLV_OK : LLV_E_REFUSED;
}

void VictimSink::clear() {
  ranked_.clear();
  refused_.clear();
  text_.clear();
  taken_.assign(taken_.size(), false);
}

std::vector<RankedVictim> VictimSink::take() {
  std::stable_sort(ranked_.begin(), ranked_.end(),
                   [](const Entry& a, const Entry& b) { return a.score > b.score; });
  std::vector<RankedVictim> out;
  out.reserve(ranked_.size() + refused_.size());
  for (const auto* entries : {&ranked_, &refused_}) {
    for (const Entry& entry : *entries) {
      out.push_back({entry.index, entry.score, clean_text(text_.data() + entry.begin, entry.size)});
    }
  }
  return out;
}

}  // namespace llamavisor
