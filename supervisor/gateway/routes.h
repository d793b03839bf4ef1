// What a path means to the gateway. Thread: any; pure functions.
#pragma once

#include <string>
#include <string_view>

namespace llamavisor {

enum class RouteKind {
  native,         // loads a model; the body carries options.num_ctx and keep_alive
  openai,         // loads a model; carries neither; errors in OpenAI's form
  anthropic,      // the same, errors in Anthropic's form
  openai_upload,  // multipart form with a `model` field
  manage,         // may change what a name stands for: pull, create, copy, delete
  other
};

struct Route {
  RouteKind kind = RouteKind::other;
  bool generates =
      false;  // /api/generate or /api/chat: without a prompt they load, or with keep_alive 0 unload
  [[nodiscard]] bool loads() const { return kind != RouteKind::manage && kind != RouteKind::other; }
};

// The path is decoded first: the server matches decoded paths, so "/api/%67enerate" is /api/generate.
Route find_route(std::string_view method, std::string_view target);

// The path of a request target, without query, percent-decoded.
std::string decoded_path(std::string_view target);

}  // namespace llamavisor
