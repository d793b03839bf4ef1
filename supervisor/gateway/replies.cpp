#include "gateway/replies.h"

#include <boost/beast/http/status.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace llamavisor {
namespace {

namespace json = boost::json;

std::string openai_type(unsigned status) {
  return status == 404 ? "not_found_error" : status < 500 ? "invalid_request_error" : "api_error";
}

std::string error_body(const OwnReply& reply) {
  switch (reply.route) {
    case RouteKind::openai:
    case RouteKind::openai_upload:
      return json::serialize(json::object{{"error", json::object{{"message", reply.message},
                                                                 {"type", openai_type(reply.http_status)},
                                                                 {"param", nullptr},
                                                                 {"code", nullptr}}}});
    case RouteKind::anthropic:
      return json::serialize(json::object{
          {"type", "error"},
          {"error",
           json::object{{"type", reply.http_status == 503 ? "overloaded_error" : "invalid_request_error"},
                        {"message", reply.message}}}});
    case RouteKind::native:
    case RouteKind::manage:
    case RouteKind::other:
      break;
  }
  return json::serialize(json::object{{"error", reply.message}});
}

}  // namespace

std::string render(const OwnReply& reply) {
  const std::string body = reply.message.empty() ? std::string() : error_body(reply);
  const auto reason =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(reply.http_status));
  std::string out = "HTTP/1.1 " + std::to_string(reply.http_status) + " " +
                    std::string(reason.data(), reason.size()) + "\r\n";
  if (!body.empty()) {
    out += "Content-Type: application/json; charset=utf-8\r\n";
  }
  if (reply.retry_after) {
    out += "Retry-After: " + std::to_string(reply.retry_after->count()) + "\r\n";
  }
  if (!reply.keep_alive) {
    out += "Connection: close\r\n";
  }
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return reply.to_head_request ? out : out + body;
}

}  // namespace llamavisor
