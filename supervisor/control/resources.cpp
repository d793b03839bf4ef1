#include "control/resources.h"

#include <charconv>
#include <map>
#include <stdexcept>

namespace llamavisor {
namespace {

namespace json = boost::json;
constexpr std::size_t kMaxLines = 10'000;

std::string text_field(const json::object& body, const char* key) {
  const json::value* value = body.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::uint64_t number_value(const std::string& query, const std::string& name, std::uint64_t fallback) {
  const std::string text = query_value(query, name);
  std::uint64_t out = fallback;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

using Handler = void (*)(SupervisorPort&, const ControlRequest&, const ControlReplies&);
struct Resource {
  const char* method;
  Handler handle;
};

// A required text field of the body, or the 400 that says so.
bool need(const ControlRequest& request, const ControlReplies& replies, const char* key, std::string& out) {
  out = text_field(request.body, key);
  if (out.empty()) {
    replies.json(ControlError{400, Error(std::string("the body has no \"") + key + "\"", "see API.md")});
  }
  return !out.empty();
}

void get_logs(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  const auto lines = std::min<std::uint64_t>(number_value(request.query, "lines", 200), kMaxLines);
  TextReply out{"text/plain; charset=utf-8", supervisor.log_tail(lines), {}};
  if (query_value(request.query, "follow") == "1") {
    out.follow = [&supervisor](StreamSink sink) { return supervisor.follow_log(std::move(sink)); };
  }
  replies.text(std::move(out));
}

void get_events(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  TextReply out{"application/x-ndjson", supervisor.events_since(number_value(request.query, "since", 0)), {}};
  if (query_value(request.query, "follow") == "1") {
    out.follow = [&supervisor](StreamSink sink) { return supervisor.follow_events(std::move(sink)); };
  }
  replies.text(std::move(out));
}

void post_evict(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  std::string model;
  if (need(request, replies, "model", model)) {
    supervisor.evict(model, text_field(request.body, "reason"), replies.json);
  }
}

template <bool kPinned>
void post_pin(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  std::string model;
  if (need(request, replies, "model", model)) {
    replies.json(supervisor.set_pinned(model, kPinned));
  }
}

void post_limit(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  std::string limit;
  if (need(request, replies, "limit", limit)) {
    replies.json(supervisor.set_limit(limit));
  }
}

void post_profile(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  std::string name;
  if (need(request, replies, "name", name)) {
    replies.json(supervisor.use_profile(name));
  }
}

void post_plugin(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  std::string role;
  std::string name;
  if (need(request, replies, "role", role) && need(request, replies, "name", name)) {
    supervisor.use_plugin(role, name, replies.json);
  }
}

void post_shadow(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  std::string role;
  std::string name;
  if (need(request, replies, "role", role) && need(request, replies, "name", name)) {
    supervisor.shadow_plugin(role, name, replies.json);
  }
}

void post_trust(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies) {
  std::string name;
  if (need(request, replies, "name", name)) {
    replies.json(supervisor.trust_plugin(name));
  }
}

template <json::object (SupervisorPort::*kGet)()>
void get(SupervisorPort& supervisor, const ControlRequest&, const ControlReplies& replies) {
  replies.json((supervisor.*kGet)());
}

const std::multimap<std::string, Resource>& resources() {
  static const std::multimap<std::string, Resource> table{
      {"/v1/status", {"GET", &get<&SupervisorPort::status>}},
      {"/v1/ps", {"GET", &get<&SupervisorPort::ps>}},
      {"/v1/models", {"GET", [](auto& s, const auto&, const auto& replies) { s.models(replies.json); }}},
      {"/v1/evict", {"POST", &post_evict}},
      {"/v1/pin", {"POST", &post_pin<true>}},
      {"/v1/unpin", {"POST", &post_pin<false>}},
      {"/v1/limit", {"GET", &get<&SupervisorPort::limit>}},
      {"/v1/limit", {"POST", &post_limit}},
      {"/v1/profiles", {"GET", &get<&SupervisorPort::profiles>}},
      {"/v1/profile", {"POST", &post_profile}},
      {"/v1/plugins", {"GET", [](auto& s, const auto&, const auto& replies) { s.plugins(replies.json); }}},
      {"/v1/plugin/use", {"POST", &post_plugin}},
      {"/v1/plugin/shadow", {"POST", &post_shadow}},
      {"/v1/plugin/trust", {"POST", &post_trust}},
      {"/v1/plugin/compare", {"GET", &get<&SupervisorPort::compare>}},
      {"/v1/config", {"GET", &get<&SupervisorPort::config>}},
      {"/v1/reload", {"POST", [](auto& s, const auto&, const auto& replies) { replies.json(s.reload()); }}},
      {"/v1/logs", {"GET", &get_logs}},
      {"/v1/events", {"GET", &get_events}},
      {"/v1/doctor", {"GET", [](auto& s, const auto&, const auto& replies) { s.doctor(replies.json); }}},
  };
  return table;
}

}  // namespace

void throw_exception_from_error(const ControlError& error, const boost::source_location&) {
  throw std::logic_error("unchecked control error: " + error.error.text());
}

std::string query_value(const std::string& query, const std::string& name) {
  for (std::size_t at = 0; at < query.size();) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string pair = query.substr(at, end - at);
    if (pair.starts_with(name + "=")) {
      return pair.substr(name.size() + 1);
    }
    at = end + 1;
  }
  return {};
}

void handle_control(SupervisorPort& supervisor, const ControlRequest& request,
                    const ControlReplies& replies) {
  const auto [begin, end] = resources().equal_range(request.path);
  for (auto it = begin; it != end; ++it) {
    if (request.method == it->second.method) {
      it->second.handle(supervisor, request, replies);
      return;
    }
  }
  const bool known = begin != end;
  replies.json(ControlError{known ? 405U : 404U, Error(request.method + " " + request.path +
                                                           (known ? ": wrong method" : ": no such resource"),
                                                       "see API.md")});
}

}  // namespace llamavisor
