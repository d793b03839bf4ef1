#include "gateway/routes.h"

#include <array>
#include <charconv>
#include <utility>

namespace llamavisor {
namespace {

using Entry = std::pair<std::string_view, RouteKind>;
constexpr std::array<Entry, 15> kPosts{{
    {"/api/generate", RouteKind::native},
    {"/api/chat", RouteKind::native},
    {"/api/embed", RouteKind::native},
    {"/api/embeddings", RouteKind::native},
    {"/v1/chat/completions", RouteKind::openai},
    {"/v1/completions", RouteKind::openai},
    {"/v1/embeddings", RouteKind::openai},
    {"/v1/responses", RouteKind::openai},
    {"/v1/images/generations", RouteKind::openai},
    {"/v1/images/edits", RouteKind::openai},
    {"/v1/messages", RouteKind::anthropic},
    {"/v1/audio/transcriptions", RouteKind::openai_upload},
    {"/api/pull", RouteKind::manage},
    {"/api/create", RouteKind::manage},
    {"/api/copy", RouteKind::manage},
}};

// "http://host/path" -> "/path"; a plain path stays.
std::string_view strip_origin(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) {
    return target;
  }
  const std::size_t slash = target.find('/', scheme + 3);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

}  // namespace

std::string decoded_path(std::string_view target) {
  target = strip_origin(target);
  target = target.substr(0, target.find_first_of("?#"));
  std::string out;
  for (std::size_t i = 0; i < target.size(); ++i) {
    unsigned value = 0;
    const bool escape = target[i] == '%' && i + 2 < target.size();
    if (escape && std::from_chars(&target[i + 1], &target[i + 1] + 2, value, 16).ptr == &target[i + 1] + 2) {
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(target[i]);
    }
  }
  return out;
}

Route find_route(std::string_view method, std::string_view target) {
  if (method == "GET" || method == "HEAD") {
    return {};
  }
  const std::string path = decoded_path(target);
  if (method == "DELETE") {
    return {path == "/api/delete" ? RouteKind::manage : RouteKind::other};
  }
  for (const auto& [known, kind] : kPosts) {
    if (method == "POST" && path == known) {
      return {kind, known == "/api/generate" || known == "/api/chat"};
    }
  }
  return {};
}

}  // namespace llamavisor
