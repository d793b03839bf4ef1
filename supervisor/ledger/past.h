// What is remembered of a model over its residencies. Pure values; times are handed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace llamavisor {

class Past {
 public:
  using Window = std::chrono::nanoseconds;

  void used() { ++total_uses_; }
  void overflowed() { ++overflows_; }
  void evicted(SteadyTime now) { evicted_at_ = now; }
  // A load within `window` after an eviction is a quick return.
  void loaded(SteadyTime now, Window window);
  // mean = (mean + measured) / 2, the first one as it is.
  void measured(std::chrono::nanoseconds load);

  [[nodiscard]] std::uint64_t total_uses() const { return total_uses_; }
  [[nodiscard]] std::uint64_t overflows() const { return overflows_; }
  [[nodiscard]] std::optional<std::chrono::nanoseconds> reload() const { return reload_; }
  // Quick returns that are not older than `window`, and how long the last of them took.
  [[nodiscard]] std::uint32_t quick_returns(SteadyTime now, Window window) const;
  [[nodiscard]] std::optional<std::chrono::nanoseconds> returned_after(SteadyTime now, Window window) const;

 private:
  static constexpr std::size_t kMaxReturns = 16;
  struct Return {
    SteadyTime at;
    std::chrono::nanoseconds after;
  };
  std::uint64_t total_uses_ = 0;
  std::uint64_t overflows_ = 0;  // prompts that were longer than its context
  std::optional<std::chrono::nanoseconds> reload_;
  std::optional<SteadyTime> evicted_at_;
  std::deque<Return> returns_;
};

}  // namespace llamavisor
