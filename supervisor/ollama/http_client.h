// One HTTP exchange with our own server on 127.0.0.1. libcurl stays inside http_client.cpp.
// Thread: any but the io thread: blocks up to the time-out.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace llamavisor {

struct HttpReply {
  long status = 0;
  std::string body;
};

inline constexpr std::size_t kMaxReplyBytes = 8U << 20U;

// `path` begins with "/". Redirects are not followed, proxies not used. An error: no whole answer came.
Result<HttpReply> http_get(std::uint16_t port, const std::string& path, std::chrono::milliseconds timeout);
Result<HttpReply> http_post_json(std::uint16_t port, const std::string& path, const std::string& body,
                                 std::chrono::milliseconds timeout);

}  // namespace llamavisor
