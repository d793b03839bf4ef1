#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <string>

namespace llamavisor {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    const auto colours =
        std::getenv("NO_COLOR") == nullptr ? spdlog::color_mode::automatic : spdlog::color_mode::never;
    auto out = std::make_shared<spdlog::logger>(
        "llamavisor", std::make_shared<spdlog::sinks::stderr_color_sink_mt>(colours));
    out->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    return out;
  }();
  return *instance;
}

// Lines after the first are indented, so that no message can pose as another one.
std::string harmless(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    if (c == '\n') {
      out += "\n    ";
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += (byte < 0x20 && c != '\t') || byte == 0x7f ? '?' : c;
    }
  }
  return out;
}

void log(spdlog::level::level_enum level, std::string_view message) {
  if (logger().should_log(level)) {
    logger().log(level, spdlog::string_view_t(harmless(message)));
  }
}

}  // namespace

void set_log_level(std::string_view level) {
  logger().set_level(level == "debug"   ? spdlog::level::debug
                     : level == "warn"  ? spdlog::level::warn
                     : level == "error" ? spdlog::level::err
                                        : spdlog::level::info);
}

void log_debug(std::string_view message) {
  log(spdlog::level::debug, message);
}
void log_info(std::string_view message) {
  log(spdlog::level::info, message);
}
void log_warn(std::string_view message) {
  log(spdlog::level::warn, message);
}
void log_error(std::string_view message) {
  log(spdlog::level::err, message);
}

}  // namespace llamavisor
