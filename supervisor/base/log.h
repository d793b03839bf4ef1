// The supervisor's own log: one line per message on stderr, at or above a level.
// spdlog stays inside log.cpp: its headers cost seconds per translation unit.
// Thread: any. Control characters are made harmless: messages carry names that clients chose.
#pragma once

#include <string_view>

namespace llamavisor {

// "debug" "info" "warn" "error"; anything else counts as "info". May be called again at run time.
void set_log_level(std::string_view level);

void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warn(std::string_view message);
void log_error(std::string_view message);

}  // namespace llamavisor
