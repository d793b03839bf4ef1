// The control API's server: HTTP/1.1 over a unix socket (API.md).
// Thread: io thread only. Only root and the user that runs the supervisor are answered.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "base/result.h"
#include "control/supervisor_port.h"

namespace llamavisor {

class ControlServer {
 public:
  ControlServer() = default;
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  virtual ~ControlServer() = default;  // closes the socket and all connections, removes the socket file
};

// A socket file that nobody listens on is cleaned up; when somebody does, the error names its pid.
Result<std::unique_ptr<ControlServer>> start_control_server(boost::asio::io_context& io,
                                                            const std::string& path,
                                                            SupervisorPort& supervisor);

}  // namespace llamavisor
