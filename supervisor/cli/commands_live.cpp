#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <ctime>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/status_screen.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

std::string local_time(double unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm when{};
  localtime_r(&seconds, &when);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &when);
  return text;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_event_line(const std::string& line, bool as_json) {
  boost::system::error_code ec;
  const json::value value = json::parse(line, ec);
  if (as_json || ec || !value.is_object()) {
    print(line + "\n");
    return;
  }
  const json::object& event = value.as_object();
  print(local_time(number_of(event, "at_unix_ms")) + "  " + text_of(event, "kind") + "  " +
        text_of(event, "sentence") + "\n");
}

}  // namespace

int fail(const ControlReply& reply) {
  std::fprintf(stderr, "llamavisor: %s\n", reply.error().c_str());
  return reply.running ? kFailed : kNotRunning;
}

int print_json(const json::object& value) {
  print(json::serialize(value) + "\n");
  return kDone;
}

int run_status(bool as_json) {
  const ControlReply reply = control_get("/v1/status");
  if (!reply.ok()) {
    return fail(reply);
  }
  if (as_json) {
    return print_json(reply.body);
  }
  print(status_screen(reply.body, Terminal::detect()));
  return kDone;
}

int run_ps(bool as_json) {
  const ControlReply reply = control_get("/v1/ps");
  if (!reply.ok()) {
    return fail(reply);
  }
  if (as_json) {
    return print_json(reply.body);
  }
  print(models_table(reply.body));
  return kDone;
}

int run_models(bool as_json) {
  const ControlReply reply = control_get("/v1/models");
  if (!reply.ok()) {
    return fail(reply);
  }
  if (as_json) {
    return print_json(reply.body);
  }
  std::vector<std::vector<std::string>> rows{{"MODEL", "SIZE", "FORECAST", "NUM_CTX", "FITS", "WHY"}};
  for (const json::value& entry : reply.body.at("models").as_array()) {
    const json::object& model = entry.as_object();
    const bool fits = model.at("fits").as_bool();
    const bool now = model.at("fits_now").as_bool();
    const bool resident = model.at("resident").as_bool();
    rows.push_back({text_of(model, "name"), bytes_text(model, "size_bytes"),
                    bytes_text(model, "forecast_bytes"), text_of(model, "num_ctx"),
                    resident ? "loaded"
                    : !fits  ? "no"
                    : now    ? "yes"
                             : "after eviction",
                    text_of(model, "forecast_basis")});
  }
  print(rows.size() == 1 ? "No model is installed.\n" : table(rows));
  return kDone;
}

int run_evict(const std::string& model) {
  const ControlReply reply = control_post("/v1/evict", {{"model", model}});
  if (!reply.ok()) {
    return fail(reply);
  }
  print(text_of(reply.body, "sentence") + "\n");
  return kDone;
}

int run_pin(const std::string& model, bool pinned) {
  const ControlReply reply = control_post(pinned ? "/v1/pin" : "/v1/unpin", {{"model", model}});
  if (!reply.ok()) {
    return fail(reply);
  }
  print(text_of(reply.body, "model") +
        (pinned ? " is pinned: it is never evicted.\n" : " is not pinned any more.\n"));
  return kDone;
}

int run_limit(const std::string& limit, bool as_json) {
  const ControlReply reply =
      limit.empty() ? control_get("/v1/limit") : control_post("/v1/limit", {{"limit", limit}});
  if (!reply.ok()) {
    return fail(reply);
  }
  if (as_json) {
    return print_json(reply.body);
  }
  print("The budget is " + bytes_text(reply.body, "limit_bytes") + " (" + text_of(reply.body, "limit") +
        ", from " + text_of(reply.body, "origin") + "); models hold " + bytes_text(reply.body, "used_bytes") +
        " of it.\n");
  return kDone;
}

int run_reload() {
  const ControlReply reply = control_post("/v1/reload", {});
  if (!reply.ok()) {
    return fail(reply);
  }
  for (const auto& [key, word] :
       {std::pair("applied", "applied"), std::pair("waits_for_restart", "waits for a restart")}) {
    for (const json::value& name : reply.body.at(key).as_array()) {
      print(std::string(name.as_string()) + ": " + word + "\n");
    }
  }
  print("Configuration reloaded.\n");
  return kDone;
}

int run_logs(bool follow, unsigned lines) {
  const std::string path = "/v1/logs?lines=" + std::to_string(lines) + (follow ? "&follow=1" : "");
  const ControlReply reply = control_stream(path, print);
  return reply.ok() ? kDone : fail(reply);
}

int run_events(bool follow, bool as_json) {
  std::string partial;
  const auto take = [&](const std::string& piece) {
    partial += piece;
    for (std::size_t end = 0; (end = partial.find('\n')) != std::string::npos; partial.erase(0, end + 1)) {
      print_event_line(partial.substr(0, end), as_json);
    }
  };
  const ControlReply reply = control_stream(follow ? "/v1/events?follow=1" : "/v1/events", take);
  return reply.ok() ? kDone : fail(reply);
}

}  // namespace llamavisor
