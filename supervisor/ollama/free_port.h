// Thread: any; no blocking.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace llamavisor {

// A random TCP port that was free on 127.0.0.1 a moment ago.
Result<std::uint16_t> free_loopback_port();

}  // namespace llamavisor
