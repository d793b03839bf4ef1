// The few answers that are llamavisor's own, in the form that the client's protocol expects.
// Thread: any; pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "gateway/routes.h"

namespace llamavisor {

struct OwnReply {
  unsigned http_status = 503;
  std::string message;  // empty: no body (403 for a foreign Host, as Ollama does it)
  std::optional<std::chrono::seconds> retry_after;
  RouteKind route = RouteKind::other;
  bool keep_alive = false;
  bool to_head_request = false;
};

// A whole HTTP/1.1 message.
std::string render(const OwnReply& reply);

}  // namespace llamavisor
