#include "cli/status_screen.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <sstream>

#include "base/units.h"

namespace llamavisor {
namespace {

namespace json = boost::json;
constexpr std::size_t kColumns = 80;

const json::object& object_of(const json::object& object, const char* key) {
  static const json::object empty;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_object() ? value->as_object() : empty;
}

const json::array& array_of(const json::object& object, const char* key) {
  static const json::array empty;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_array() ? value->as_array() : empty;
}

// "tiny:latest" is shown as "tiny", and a name of more than `room` characters is cut.
std::string short_name(std::string name, std::size_t room) {
  if (name.ends_with(":latest")) {
    name.resize(name.size() - 7);
  }
  return name.size() > room ? name.substr(0, room - 1) + "~" : name;
}

std::string activity(const json::object& model) {
  const auto in_flight = static_cast<long>(number_of(model, "in_flight"));
  if (in_flight > 0) {
    return "busy (" + std::to_string(in_flight) + ")";
  }
  const std::string state = text_of(model, "state");
  return state == "ready" ? "idle" : state;
}

std::size_t widest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t out = 0;
  for (std::string line; std::getline(lines, line);) {
    out = std::max(out, line.size());
  }
  return out;
}

std::string models_rows(const json::object& ps, std::size_t room) {
  std::vector<std::vector<std::string>> rows{
      {"MODEL", "STATE", "MEMORY", "FORECAST", "NUM_CTX", "LAST USED", "PINNED"}};
  for (const json::value& entry : array_of(ps, "models")) {
    const json::object& model = entry.as_object();
    const json::value* pinned = model.if_contains("pinned");
    rows.push_back({short_name(text_of(model, "name"), room), activity(model),
                    bytes_text(model, "footprint_bytes"), bytes_text(model, "forecast_bytes"),
                    text_of(model, "num_ctx"),
                    number_of(model, "in_flight") > 0 ? "now" : ms_text(model, "idle_ms"),
                    pinned != nullptr && *pinned == true ? "yes" : ""});
  }
  return table(rows);
}

// A label and its text, on as many lines as 80 columns need.
void add_lines(std::vector<std::vector<std::string>>& rows, const std::string& label,
               const std::string& text) {
  std::istringstream lines(wrapped(text, kColumns - 10, ""));
  for (std::string line; std::getline(lines, line);) {
    rows.push_back({rows.empty() || rows.back().front() != label ? label : "", line});
  }
}

std::string budget_line(const json::object& status, const Terminal& terminal) {
  const double limit = number_of(status, "limit_bytes");
  const double used = number_of(status, "used_bytes");
  const double share = limit > 0 ? used / limit : 0;
  const char* colour = share > 1 ? "31" : share > 0.85 ? "33" : "32";
  const char* word = share > 1 ? "over" : share > 0.85 ? "nearly full" : "ok";
  return terminal.paint(terminal.bar(share, 30), colour) + " " + bytes_text(status, "used_bytes") + " of " +
         bytes_text(status, "limit_bytes") + " (" + word + ")";
}

std::string server_line(const json::object& server) {
  std::string out = "Ollama " + text_of(server, "version") + ", " + text_of(server, "state");
  if (server.contains("pid")) {
    out += ", pid " + text_of(server, "pid") + ", up " + ms_text(server, "uptime_ms");
  }
  return out + ", restarts " + text_of(server, "restarts");
}

std::string notifiers_text(const json::object& status) {
  std::string out;
  for (const json::value& entry : array_of(status, "notifiers")) {
    const json::object& notifier = entry.as_object();
    out += (out.empty() ? "" : ", ") + text_of(notifier, "id") + " (" + text_of(notifier, "state") + ")";
  }
  return out.empty() ? "none" : out;
}

// "gdsf differed in 2 of 7 choices; its reloads would take 3 s, those of lru took 8 s"
std::string shadow_line(const json::object& comparison) {
  const json::object& shadow = object_of(comparison, "shadow");
  const json::object& in_charge = object_of(comparison, "in_charge");
  return text_of(shadow, "name") + " differed in " + text_of(comparison, "differed") + " of " +
         text_of(comparison, "compared") + " choices; its reloads would take " +
         ms_text(shadow, "reload_ms") + ", those of " + text_of(in_charge, "name") + " took " +
         ms_text(in_charge, "reload_ms");
}

}  // namespace

std::string text_of(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) {
    return "-";
  }
  return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

double number_of(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

std::string bytes_text(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_number()
             ? format_bytes(static_cast<std::uint64_t>(number_of(object, key)))
             : "-";
}

std::string ms_text(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_number()
             ? format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(number_of(object, key))))
             : "-";
}

std::string models_table(const json::object& ps) {
  if (array_of(ps, "models").empty()) {
    return "No model is loaded.\n";
  }
  std::size_t room = 40;
  std::string out = models_rows(ps, room);
  while (widest_line(out) > kColumns && room > 8) {
    out = models_rows(ps, --room);
  }
  return out;
}

std::string status_screen(const json::object& status, const Terminal& terminal) {
  const json::object& memory = object_of(status, "memory");
  std::string out = table({{"llamavisor " + text_of(status, "version"), "pid " + text_of(status, "pid"),
                            "up " + ms_text(status, "uptime_ms")}});
  std::vector<std::vector<std::string>> rows{
      {"Server", server_line(object_of(status, "server"))},
      {"Address", text_of(status, "listen") + "   profile " + text_of(status, "profile") + "   num_ctx " +
                      text_of(status, "default_num_ctx")},
      {"Budget", budget_line(status, terminal)},
      {"Machine", bytes_text(memory, "available_bytes") + " of " + bytes_text(memory, "total_bytes") +
                      " available, models really hold " + bytes_text(status, "footprint_bytes")}};
  add_lines(rows, "Policy",
            text_of(status, "eviction_policy") + ", context " + text_of(status, "context_policy") +
                ", notify " + notifiers_text(status));
  rows.push_back({"Requests", text_of(status, "connections") + " connections, " + text_of(status, "waiting") +
                                  " waiting for memory"});
  if (const json::object& shadow = object_of(status, "shadow"); !shadow.empty()) {
    add_lines(rows, "Shadow", shadow_line(shadow));
  }
  out += table(rows) + "\n" + models_table(status);
  if (const json::object& last = object_of(status, "last_eviction"); !last.empty()) {
    out += "\nLast eviction\n" + wrapped(text_of(last, "sentence"), kColumns - 2, "  ");
  }
  for (const json::value& warning : array_of(status, "warnings")) {
    out += wrapped("Warning: " + (warning.is_string() ? std::string(warning.as_string()) : ""), kColumns - 2,
                   "");
  }
  return out;
}

}  // namespace llamavisor
