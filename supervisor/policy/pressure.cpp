#include "policy/pressure.h"

#include <cstdio>

#include "base/units.h"

namespace llamavisor {

std::optional<Relief> Pressure::check(const Snapshot& snapshot, const PressureRule& rule) {
  if (snapshot.used_bytes > snapshot.limit_bytes) {
    const std::uint64_t over = snapshot.used_bytes - snapshot.limit_bytes;
    return Relief{over, "the models hold " + format_bytes(snapshot.used_bytes) + ", " + format_bytes(over) +
                            " over the budget of " + format_bytes(snapshot.limit_bytes)};
  }
  return check_host(snapshot, rule);
}

std::optional<Relief> Pressure::check_host(const Snapshot& snapshot, const PressureRule& rule) {
  if (snapshot.psi_full_avg10 && *snapshot.psi_full_avg10 > rule.psi_full_percent) {
    char percent[32];
    std::snprintf(percent, sizeof percent, "%.0f", *snapshot.psi_full_avg10);
    return Relief{1, std::string("the machine stalls on memory ") + percent + " % of the time"};
  }
  if (!snapshot.available_bytes) {
    return std::nullopt;
  }
  const std::uint64_t available = *snapshot.available_bytes;
  const std::uint64_t calm_bytes = rule.min_available_bytes + rule.min_available_bytes / 4;
  pressed_ = available < rule.min_available_bytes || (pressed_ && available < calm_bytes);
  if (!pressed_) {
    return std::nullopt;
  }
  return Relief{calm_bytes - available, "the machine has only " + format_bytes(available) +
                                            " of memory left, less than the minimum of " +
                                            format_bytes(rule.min_available_bytes)};
}

}  // namespace llamavisor
