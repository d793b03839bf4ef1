// The largest context that a budget has room for. Pure.
#pragma once

#include "forecast/forecast.h"

namespace llamavisor {

// A multiple of 256 up to the training length (without one: 1048576), or that length itself. Absent: not even
// the smallest context fits, or the forecast is a guess that no context changes.
std::optional<std::uint32_t> largest_num_ctx(const InstalledModel& model, const ForecastSettings& settings,
                                             std::uint64_t room_bytes);

}  // namespace llamavisor
