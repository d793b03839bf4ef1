#include "forecast/fit.h"

#include <algorithm>

namespace llamavisor {

std::optional<std::uint32_t> largest_num_ctx(const InstalledModel& model, const ForecastSettings& settings,
                                             std::uint64_t room_bytes) {
  constexpr std::uint32_t step = 256;
  const std::uint32_t trained =
      model.shape ? std::clamp(model.shape->context_length.value_or(1U << 20U), 1U, 1U << 30U) : step;
  const auto fits = [&](std::uint32_t steps) {
    return forecast_parts(model, std::min(steps * step, trained), settings).bytes() <= room_bytes;
  };
  if (!fits(1) || forecast_parts(model, step, settings).guess) {
    return std::nullopt;
  }
  std::uint32_t good = 1;
  std::uint32_t bad = (trained + step - 1) / step + 1;
  while (bad - good > 1) {
    const std::uint32_t middle = good + (bad - good) / 2;
    (fits(middle) ? good : bad) = middle;
  }
  return std::min(good * step, trained);
}

}  // namespace llamavisor
