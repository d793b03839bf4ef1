// SPDX-License-Identifier: Apache-2.0
//
// Sizes and durations as llamavisor writes them, for the reasons that plugins give. [any-thread] Pure.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace llamavisor {
inline namespace sdk_v1 {
namespace text {

// `value` rounded to so many decimals, as printf's %.*f writes it; for values that a person can read.
inline std::string number(double value, int decimals) {
  std::array<char, 400> out{};  // the largest double has 309 digits
  const auto end =
      std::to_chars(out.data(), out.data() + out.size(), value, std::chars_format::fixed, decimals).ptr;
  return {out.data(), end};
}

// "3.20 GB", "141 MB", "512 B": three significant figures, powers of 1024; "8 GB" when it is exact.
inline std::string bytes(std::uint64_t count) {
  constexpr std::array<const char*, 5> units{"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(count);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  const bool exact = value == static_cast<double>(static_cast<std::uint64_t>(value));
  const int decimals = exact || value >= 99.95 ? 0 : (value >= 9.995 ? 1 : 2);
  return number(value, decimals) + ' ' + units.at(unit);
}

// Appends "12 min". Not put together from strings: a policy writes a hundred of these in a call.
inline void add_count(std::string& out, long long count, std::string_view unit) {
  std::array<char, 24> digits{};
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), count).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out.append(unit);
}

// Appends "850 ms", "45 s", "12 min", "3 h 5 min", "2 d 4 h".
inline void add_duration(std::string& out, std::chrono::nanoseconds time) {
  const auto both = [&out](long long big, std::string_view big_unit, long long small, std::string_view unit) {
    add_count(out, big, big_unit);
    if (small != 0) {
      out.push_back(' ');
      add_count(out, small, unit);
    }
  };
  const long long ms = time.count() / 1'000'000;
  const long long s = (ms + 500) / 1000;
  if (ms < 1000) {
    add_count(out, ms, " ms");
  } else if (s < 60) {
    add_count(out, s, " s");
  } else if (s < 3600) {
    both(s / 60, " min", s < 600 ? s % 60 : 0, " s");
  } else if (s < 86'400) {
    both(s / 3600, " h", s % 3600 / 60, " min");
  } else {
    both(s / 86'400, " d", s % 86'400 / 3600, " h");
  }
}

inline std::string duration(std::chrono::nanoseconds time) {
  std::string out;
  add_duration(out, time);
  return out;
}

// "8GB", "512 MiB", "1.5g", "0": the same words as in llamavisor.toml. Nothing when it is not a size.
inline std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  std::string unit;
  for (const char c : text.substr(static_cast<std::size_t>(end - text.data()))) {
    if (c != ' ') {
      unit.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
  }
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const std::size_t power = std::string_view("kmgt").find(unit.front());
    const std::string_view rest = std::string_view(unit).substr(1);
    if (power == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "ib")) {
      return std::nullopt;
    }
    factor = static_cast<double>(std::uint64_t{1} << (10 * (power + 1)));
  }
  if (error != std::errc{} || !(value >= 0 && value * factor <= 1e18)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(std::llround(value * factor));
}

// "30s", "1m30s", "250ms", "2h", "1d": the same words as in llamavisor.toml. Nothing when it is not a
// duration.
inline std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 6> units{
      {{"", 1e9}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}, {"d", 8.64e13}}};
  double total_ns = 0;
  do {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    const auto used = static_cast<std::size_t>(end - text.data());
    const std::size_t unit_end = std::min(text.find_first_of("0123456789.", used), text.size());
    const std::string_view unit = text.substr(used, unit_end - used);
    const auto known =
        std::find_if(units.begin(), units.end(), [&](const auto& entry) { return entry.first == unit; });
    if (error != std::errc{} || known == units.end() || !(value >= 0)) {
      return std::nullopt;
    }
    total_ns += value * known->second;
    text.remove_prefix(unit_end);
  } while (!text.empty());
  return total_ns <= 9e18 ? std::optional(std::chrono::nanoseconds(std::llround(total_ns))) : std::nullopt;
}

}  // namespace text
}  // namespace sdk_v1
}  // namespace llamavisor
