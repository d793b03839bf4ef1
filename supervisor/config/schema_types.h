// Readers of single values, for the key table. Thread: any; pure.
#pragma once

#include <functional>
#include <limits>
#include <string>

#include "base/units.h"
#include "config/schema.h"
#include "config/toml_text.h"

namespace llamavisor {

using Setter = std::function<Result<void>(Settings&, const ConfigValue&)>;

inline Error expected(const std::string& what, const ConfigValue& found) {
  return Error("expected " + what + ", found " + shortened(to_toml(found)));
}

template <class Access>
Setter set_text(Access access) {
  return [access](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* text = std::get_if<std::string>(&v);
    if (text == nullptr) {
      return expected("a string", v);
    }
    access(s) = *text;
    return {};
  };
}

template <class Access>
Setter set_flag(Access access) {
  return [access](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* flag = std::get_if<bool>(&v);
    if (flag == nullptr) {
      return expected("true or false", v);
    }
    access(s) = *flag;
    return {};
  };
}

template <class Access>
Setter set_count(Access access, std::int64_t min, std::int64_t max) {
  return [access, min, max](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* number = std::get_if<std::int64_t>(&v);
    if (number == nullptr || *number < min || *number > max) {
      return expected("a whole number from " + std::to_string(min) + " to " + std::to_string(max), v);
    }
    access(s) = static_cast<std::uint32_t>(*number);
    return {};
  };
}

template <class Access>
Setter set_percent(Access access) {
  return [access](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* whole = std::get_if<std::int64_t>(&v);
    const auto* real = std::get_if<double>(&v);
    const double number = real != nullptr ? *real : whole != nullptr ? static_cast<double>(*whole) : -1;
    if (!(number >= 0 && number <= 100)) {  // nan is neither
      return expected("a number from 0 to 100", v);
    }
    access(s) = number;
    return {};
  };
}

template <class Access>
Setter set_bytes(Access access) {
  return [access](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* text = std::get_if<std::string>(&v);
    const auto bytes = text == nullptr ? Result<std::uint64_t>(Error("")) : parse_bytes(*text);
    if (!bytes) {
      return expected("a size such as \"512MB\"", v);
    }
    access(s) = *bytes;
    return {};
  };
}

template <class Access>
Setter set_time(Access access, std::chrono::milliseconds min = std::chrono::milliseconds(0)) {
  return [access, min](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* text = std::get_if<std::string>(&v);
    const auto time = text == nullptr ? Result<std::chrono::milliseconds>(Error("")) : parse_duration(*text);
    if (!time || *time < min) {
      return expected(
          "a duration such as \"30s\"" + (min.count() > 0 ? ", at least " + format_duration(min) : ""), v);
    }
    access(s) = *time;
    return {};
  };
}

template <class Access>
Setter set_list(Access access) {
  return [access](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* list = std::get_if<std::vector<std::string>>(&v);
    if (list == nullptr) {
      return expected("a list of strings", v);
    }
    access(s) = *list;
    return {};
  };
}

template <class Access>
Setter set_one_of(Access access, const std::vector<std::string>& choices) {
  return [access, choices](Settings& s, const ConfigValue& v) -> Result<void> {
    const auto* text = std::get_if<std::string>(&v);
    std::string all;
    for (const std::string& choice : choices) {
      if (text != nullptr && *text == choice) {
        access(s) = choice;
        return {};
      }
      all += (all.empty() ? "\"" : ", \"") + choice + "\"";
    }
    return expected("one of " + all, v);
  };
}

}  // namespace llamavisor
