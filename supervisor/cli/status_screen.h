// The status of a supervisor as one screen of 80 columns. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "cli/terminal.h"

namespace llamavisor {

std::string status_screen(const boost::json::object& status, const Terminal& terminal);
// The table of models alone, for `ps`.
std::string models_table(const boost::json::object& ps);

// Values of a JSON object as people read them; "-" for what is not there.
std::string bytes_text(const boost::json::object& object, const char* key);
std::string ms_text(const boost::json::object& object, const char* key);
std::string text_of(const boost::json::object& object, const char* key);
double number_of(const boost::json::object& object, const char* key);

}  // namespace llamavisor
