// Talks to the running supervisor over its unix socket. Blocking.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <string>

#include "base/result.h"

namespace llamavisor {

struct ControlReply {
  bool running = false;  // false: nobody listens on the socket
  long http_status = 0;
  boost::json::object body;
  [[nodiscard]] bool ok() const { return running && http_status == 200; }
  // What went wrong, in one line.
  [[nodiscard]] std::string error() const;
};

ControlReply control_get(const std::string& path);
ControlReply control_post(const std::string& path, const boost::json::object& body);
// Passes on each piece of a text as it comes; returns when it ends. False: no supervisor.
bool control_stream(const std::string& path, const std::function<void(const std::string&)>& piece);

}  // namespace llamavisor
