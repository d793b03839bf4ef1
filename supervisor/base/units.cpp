#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

namespace llamavisor {
namespace {

struct Suffix {
  std::string_view text;
  double factor;
};

constexpr double kKilo = 1024.0;
constexpr double kLongestMs = 100 * 365.0 * 86'400'000;  // added to a clock's time it must not overflow
constexpr std::array<Suffix, 15> kSizes{{{"", 1},
                                         {"b", 1},
                                         {"k", kKilo},
                                         {"kb", kKilo},
                                         {"kib", kKilo},
                                         {"m", kKilo* kKilo},
                                         {"mb", kKilo* kKilo},
                                         {"mib", kKilo* kKilo},
                                         {"g", kKilo* kKilo* kKilo},
                                         {"gb", kKilo* kKilo* kKilo},
                                         {"gib", kKilo* kKilo* kKilo},
                                         {"t", kKilo* kKilo* kKilo* kKilo},
                                         {"tb", kKilo* kKilo* kKilo* kKilo},
                                         {"tib", kKilo* kKilo* kKilo* kKilo},
                                         {"byte", 1}}};
constexpr std::array<Suffix, 6> kTimes{
    {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

std::string lower_letters(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out;
}

// Blanks may stand around a number and its unit, not inside a number.
std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// Reads a leading non-negative decimal; returns how many characters it took (0: none).
std::size_t leading_number(std::string_view text, double& value) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return error == std::errc{} && value >= 0 ? static_cast<std::size_t>(end - text.data()) : 0;
}

template <std::size_t N>
const Suffix* find_suffix(const std::array<Suffix, N>& table, std::string_view text) {
  for (const Suffix& entry : table) {
    if (entry.text == text) {
      return &entry;
    }
  }
  return nullptr;
}

std::string two_units(long long big, const char* big_unit, long long small, const char* small_unit) {
  std::string out = std::to_string(big) + " " + big_unit;
  return small == 0 ? out : out + " " + std::to_string(small) + " " + small_unit;
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const std::string clean = lower_letters(without_blanks(text));
  double value = 0;
  const std::size_t used = leading_number(clean, value);
  const Suffix* suffix = find_suffix(kSizes, without_blanks(std::string_view(clean).substr(used)));
  if (used == 0 || suffix == nullptr || value * suffix->factor > 1e18) {
    return Error("\"" + std::string(text) + "\" is not a size", "write it like \"6GB\" or \"512MB\"");
  }
  return static_cast<std::uint64_t>(std::llround(value * suffix->factor));
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::string clean = lower_letters(without_blanks(text));
  std::string_view rest = clean;
  double total_ms = 0;
  do {
    double value = 0;
    const std::size_t used = leading_number(rest, value);
    const std::size_t unit_end = rest.find_first_of("0123456789.", used);
    const std::string_view unit =
        rest.substr(used, unit_end == std::string_view::npos ? unit_end : unit_end - used);
    const Suffix* suffix = find_suffix(kTimes, without_blanks(unit));
    total_ms += suffix == nullptr ? 0 : value * suffix->factor;
    if (used == 0 || suffix == nullptr || total_ms > kLongestMs) {
      return Error("\"" + std::string(text) + "\" is not a duration",
                   "write it like \"30s\", \"5m\" or \"1h30m\"");
    }
    rest.remove_prefix(used + unit.size());
  } while (!rest.empty());
  return std::chrono::milliseconds(std::llround(total_ms));
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < units.size()) {
    value /= kKilo;
    ++unit;
  }
  std::array<char, 32> text{};
  const bool decimals = unit > 0 && value < 99.95;
  std::snprintf(text.data(), text.size(),
                decimals && value < 9.995 ? "%.2f %s"
                : decimals                ? "%.1f %s"
                                          : "%.0f %s",
                value, units.at(unit));
  return text.data();
}

std::string format_duration(std::chrono::milliseconds duration) {
  const long long ms = duration.count();
  if (ms < 1000) {
    return std::to_string(ms) + " ms";
  }
  const long long s = (ms + 500) / 1000;
  if (s < 60) {
    return std::to_string(s) + " s";
  }
  if (s < 3600) {
    return two_units(s / 60, "min", s < 600 ? s % 60 : 0, "s");
  }
  if (s < 86'400) {
    return two_units(s / 3600, "h", s % 3600 / 60, "min");
  }
  return two_units(s / 86'400, "d", s % 86'400 / 3600, "h");
}

}  // namespace llamavisor
