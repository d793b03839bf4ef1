// The one source of time. Steady time decides (clock jumps change nothing); wall time is only shown.
#pragma once

#include <chrono>

namespace llamavisor {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// [any thread] Implementations are safe to call from every thread.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime now() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
};

// Time moves only when it is told to: for tests and for replay. [one thread]
class ManualClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return SteadyTime{} + offset_; }
  [[nodiscard]] WallTime wall() const override { return WallTime{} + offset_; }
  void advance(std::chrono::nanoseconds by) {
    offset_ += std::chrono::duration_cast<std::chrono::steady_clock::duration>(by);
  }

 private:
  std::chrono::steady_clock::duration offset_ = std::chrono::hours(24);
};

}  // namespace llamavisor
