#include "cli/control_client.h"

#include <curl/curl.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

#include "store/paths.h"

namespace llamavisor {
namespace {

namespace json = boost::json;
using Piece = std::function<void(const std::string&)>;

struct CurlEnd {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t deliver(char* data, std::size_t size, std::size_t count, void* to) {
  (*static_cast<const Piece*>(to))(std::string(data, size * count));
  return size * count;
}

// HTTP status; 0: nobody listens. No time limit: an eviction or a followed log takes as long as it takes.
long call(const std::string& path, const std::string* post, const Piece& piece) {
  const std::unique_ptr<CURL, CurlEnd> handle(curl_easy_init());
  const std::unique_ptr<curl_slist, CurlEnd> headers(
      curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:"));
  const std::string url = "http://llamavisor" + path;
  curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_UNIX_SOCKET_PATH, control_socket_path().c_str());
  curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle.get(), CURLOPT_CONNECTTIMEOUT, 5L);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, &deliver);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &piece);
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  if (post != nullptr) {
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(post->size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, post->c_str());
  }
  long status = 0;
  curl_easy_perform(handle.get());
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

ControlReply json_call(const std::string& path, const std::string* post) {
  std::string text;
  ControlReply out;
  out.http_status = call(path, post, [&](const std::string& piece) { text += piece; });
  out.running = out.http_status != 0;
  boost::system::error_code ec;
  json::value value = json::parse(text, ec);
  if (!ec && value.is_object()) {
    out.body = std::move(value.as_object());
  }
  return out;
}

}  // namespace

std::string ControlReply::error() const {
  if (!running) {
    return "no supervisor is running (nobody listens on " + control_socket_path() +
           "); start one: llamavisor serve";
  }
  const json::value* message = body.if_contains("error");
  const json::value* hint = body.if_contains("hint");
  std::string out = message != nullptr && message->is_string() ? std::string(message->as_string())
                                                               : "HTTP status " + std::to_string(http_status);
  if (hint != nullptr && hint->is_string() && !hint->as_string().empty()) {
    out += " (" + std::string(hint->as_string()) + ")";
  }
  return out;
}

ControlReply control_get(const std::string& path) {
  return json_call(path, nullptr);
}

ControlReply control_post(const std::string& path, const json::object& body) {
  const std::string text = json::serialize(body);
  return json_call(path, &text);
}

bool control_stream(const std::string& path, const Piece& piece) {
  return call(path, nullptr, piece) != 0;
}

}  // namespace llamavisor
