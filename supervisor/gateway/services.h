// What all sessions share. Owned by the gateway. Thread: io thread only.
#pragma once

#include <array>
#include <boost/asio/error.hpp>
#include <functional>
#include <optional>

#include "actions/admission_desk.h"
#include "gateway/body_scan.h"
#include "gateway/host_guard.h"
#include "gateway/upstream_pool.h"

namespace llamavisor {

// A non-blocking call has nothing to give or to take now.
inline bool must_wait(const boost::system::error_code& ec) {
  return ec == boost::asio::error::would_block || ec == boost::asio::error::try_again;
}

struct Services {
  boost::asio::io_context& io;
  const Clock& clock;
  AdmissionDesk& desk;
  GatewaySettings settings;
  std::vector<std::string> origins;  // allowed beyond Ollama's own
  HostGuard guard;
  // The server's private port; absent while it is not ready.
  std::function<std::optional<std::uint16_t>()> server_port;
  // A request ended that may have changed what is loaded; a look at the server is due soon.
  std::function<void()> look_soon;
  bool draining = false;
  std::uint64_t body_bytes = 0;  // held by all sessions
  UpstreamPool pool{};
  BodyScanner scanner{};
  std::array<char, 64 * 1024> scratch{};
};

}  // namespace llamavisor
