#include "ollama/client.h"

#include "ollama/http_client.h"

namespace llamavisor {
namespace {

// The body of a 200; any other status is an error that carries the server's own words.
Result<std::string> body_of(Result<HttpReply> reply, const char* request) {
  if (!reply) {
    return reply.error();
  }
  if (reply->status != 200) {
    return Error(std::string(request) + ": status " + std::to_string(reply->status) + ": " +
                 parse_error_text(reply->body));
  }
  return ok(std::move(reply->body));
}

}  // namespace

Result<std::string> OllamaClient::version(std::chrono::milliseconds timeout) const {
  const auto body = body_of(http_get(port_, "/api/version", timeout), "GET /api/version");
  return body ? parse_version(*body) : body.error();
}

Result<std::vector<LoadedModel>> OllamaClient::ps(std::chrono::milliseconds timeout) const {
  const auto body = body_of(http_get(port_, "/api/ps", timeout), "GET /api/ps");
  return body ? parse_ps(*body) : body.error();
}

Result<void> OllamaClient::unload(const std::string& model, std::chrono::milliseconds timeout) const {
  return generate(unload_body(model), timeout);
}

Result<void> OllamaClient::touch(const std::string& model, const KeepAlive& keep_alive,
                                 std::optional<std::uint32_t> num_ctx,
                                 std::chrono::milliseconds timeout) const {
  return generate(keep_alive_body(model, keep_alive, num_ctx), timeout);
}

Result<void> OllamaClient::generate(const std::string& body, std::chrono::milliseconds timeout) const {
  const auto answer = body_of(http_post_json(port_, "/api/generate", body, timeout), "POST /api/generate");
  if (!answer) {
    return answer.error();
  }
  return {};
}

}  // namespace llamavisor
