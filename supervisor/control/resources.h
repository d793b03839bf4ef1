// What each path of API.md does. Thread: io thread only.
#pragma once

#include <functional>
#include <string>

#include "control/supervisor_port.h"

namespace llamavisor {

struct ControlRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // "lines=10&follow=1"
  boost::json::object body;
};

// A text that may go on: `follow` subscribes the sink when the client wants more.
struct TextReply {
  std::string content_type;
  std::string text;
  std::function<std::unique_ptr<ControlStream>(StreamSink)> follow;  // empty: the text is all
};

struct ControlReplies {
  ControlCallback json;
  std::function<void(TextReply)> text;
};

// Calls exactly one of the replies, once, now or later.
void handle_control(SupervisorPort& supervisor, const ControlRequest& request, const ControlReplies& replies);

// Value of `name` in a query; "" when it is not there.
std::string query_value(const std::string& query, const std::string& name);

}  // namespace llamavisor
