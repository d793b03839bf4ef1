// Sizes and durations as people write them. [any thread] Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llamavisor {

// "6GB" "512MiB" "2G" "1048576". Powers of 1024 for every suffix (KB = KiB = 1024), as Ollama and
// memory modules are sold; case-insensitive; fractions allowed ("1.5GB").
Result<std::uint64_t> parse_bytes(std::string_view text);

// "30s" "1m30s" "250ms" "2h" "0"; a bare number is seconds. Negative durations and those beyond
// 100 years are an error.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "3.2 GB", "141 MB", "512 B": three significant figures, powers of 1024.
std::string format_bytes(std::uint64_t bytes);

// "12 min", "3 h 5 min", "850 ms": at most two units.
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace llamavisor
