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
constexpr std::size_t kMaxErrorBytes = 64 * 1024;

struct CurlEnd {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// What comes of one call. Only a 200 is passed on; the text of an error is kept.
struct Answer {
  CURL* handle = nullptr;
  const Piece& piece;
  std::string error_text;
};

std::size_t deliver(char* data, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<Answer*>(to);
  long status = 0;
  curl_easy_getinfo(answer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) {
    answer.piece(std::string(data, size * count));
  } else if (answer.error_text.size() < kMaxErrorBytes) {
    answer.error_text.append(data, size * count);
  }
  return size * count;
}

json::object object_in(const std::string& text) {
  boost::system::error_code ec;
  json::value value = json::parse(text, ec);
  return !ec && value.is_object() ? std::move(value.as_object()) : json::object();
}

// `limit` 0: none.
ControlReply call(const std::string& path, const std::string* post, std::chrono::seconds limit,
                  const Piece& piece) {
  const std::unique_ptr<CURL, CurlEnd> handle(curl_easy_init());
  const std::unique_ptr<curl_slist, CurlEnd> headers(
      curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:"));
  const std::string url = "http://llamavisor" + path;
  Answer answer{handle.get(), piece, {}};
  curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_UNIX_SOCKET_PATH, control_socket_path().c_str());
  curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle.get(), CURLOPT_CONNECTTIMEOUT, 5L);
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT, static_cast<long>(limit.count()));
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, &deliver);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  if (post != nullptr) {
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(post->size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, post->c_str());
  }
  ControlReply out;
  const CURLcode code = curl_easy_perform(handle.get());
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &out.http_status);
  // A path that is too long for a socket counts as a host that cannot be found.
  out.running = code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST;
  out.body = object_in(answer.error_text);
  return out;
}

ControlReply json_call(const std::string& path, const std::string* post, std::chrono::seconds limit) {
  std::string text;
  ControlReply out = call(path, post, limit, [&](const std::string& piece) { text += piece; });
  if (out.http_status == 200) {
    out.body = object_in(text);
    out.http_status = out.body.empty() ? 0 : 200;  // cut off
  }
  return out;
}

}  // namespace

std::string ControlReply::error() const {
  if (!running) {
    return "no supervisor is running (nobody listens on " + control_socket_path() +
           "); start one: llamavisor serve";
  }
  if (http_status == 0) {
    return "the supervisor did not answer on " + control_socket_path() + "; see its own log";
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
  return json_call(path, nullptr, kAnswerTime);
}

ControlReply control_post(const std::string& path, const json::object& body) {
  const std::string text = json::serialize(body);
  return json_call(path, &text, std::chrono::seconds(0));
}

ControlReply control_stream(const std::string& path, const Piece& piece) {
  return call(path, nullptr, std::chrono::seconds(0), piece);
}

}  // namespace llamavisor
