// Talks to the running supervisor over its unix socket. Blocking.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"

namespace llamavisor {

struct ControlReply {
  bool running = false;  // false: nobody listens on the socket
  long http_status = 0;  // 0: no answer
  boost::json::object body;
  [[nodiscard]] bool ok() const { return running && http_status == 200; }
  // What went wrong, in one line.
  [[nodiscard]] std::string error() const;
};

// Waits at most kAnswerTime for the answer.
ControlReply control_get(const std::string& path);
// Waits as long as it takes: an eviction waits for the requests in flight.
ControlReply control_post(const std::string& path, const boost::json::object& body);
// Passes on each piece of a text as it comes; returns when it ends. An error is in the reply, not in a piece.
ControlReply control_stream(const std::string& path, const std::function<void(const std::string&)>& piece);

constexpr std::chrono::seconds kAnswerTime{30};

}  // namespace llamavisor
