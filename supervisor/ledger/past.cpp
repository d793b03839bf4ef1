#include "ledger/past.h"

#include <algorithm>

namespace llamavisor {

void Past::loaded(SteadyTime now, Window window) {
  if (evicted_at_ && window.count() > 0 && now - *evicted_at_ <= window) {
    returns_.push_back({now, now - *evicted_at_});
    if (returns_.size() > kMaxReturns) {
      returns_.pop_front();
    }
  }
  evicted_at_.reset();
}

void Past::measured(std::chrono::nanoseconds load) {
  reload_ = reload_ ? (*reload_ + load) / 2 : load;
}

std::uint32_t Past::quick_returns(SteadyTime now, Window window) const {
  return static_cast<std::uint32_t>(std::count_if(returns_.begin(), returns_.end(),
                                                  [&](const Return& one) { return now - one.at <= window; }));
}

std::optional<std::chrono::nanoseconds> Past::returned_after(SteadyTime now, Window window) const {
  return quick_returns(now, window) > 0 ? std::optional(returns_.back().after) : std::nullopt;
}

}  // namespace llamavisor
