// Takes what an eviction plugin ranks. Each call ranks up to all models, so that nothing is allocated for a
// single entry: the texts go one behind the other, and become strings when the plugin has answered.
// Thread: one at a time.
#pragma once

#include <llamavisor/abi.h>

#include <string>
#include <vector>

#include "domain/snapshot.h"

namespace llamavisor {

class VictimSink {
 public:
  // The snapshot must outlive the sink.
  explicit VictimSink(const Snapshot& snapshot) : snapshot_(snapshot), taken_(snapshot.models.size()) {}

  // For the plugin; entries that may not be are refused, the first of them are kept for the guard, which says
  // to people what was wrong with them. The sink must not move while the plugin has it.
  [[nodiscard]] llv_victims table() { return {sizeof(llv_victims), 0, this, &add}; }
  void clear();
  [[nodiscard]] std::size_t size() const { return ranked_.size(); }
  // The ranked models, the highest score first, equal ones as the plugin had them; then the refused ones.
  [[nodiscard]] std::vector<RankedVictim> take();

 private:
  struct Entry {
    std::uint32_t index;
    double score;
    std::size_t begin, size;  // of its reason in text_
  };
  static std::int32_t add(void* ctx, std::uint32_t index, double score, llv_str reason) noexcept;

  const Snapshot& snapshot_;
  std::vector<bool> taken_;
  std::vector<Entry> ranked_;
  std::vector<Entry> refused_;
  std::string text_;
};

}  // namespace llamavisor
