#include "ollama/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>

namespace llamavisor {
namespace {

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

std::size_t collect(char* data, std::size_t size, std::size_t count, void* target) {
  std::string& body = *static_cast<std::string*>(target);
  if (body.size() + size * count > kMaxReplyBytes) {
    return 0;  // makes libcurl give up
  }
  body.append(data, size * count);
  return size * count;
}

Headers json_headers() {
  Headers out(curl_slist_append(nullptr, "Content-Type: application/json"), curl_slist_free_all);
  if (out) {
    curl_slist_append(out.get(), "Expect:");
  }
  return out;
}

void set_common(CURL* curl, const std::string& url, std::chrono::milliseconds timeout, std::string& body) {
  const long limit_ms = std::max<long>(1, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limit_ms);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, limit_ms);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
}

Error failure(const char* method, const std::string& url, CURLcode code, const char* detail,
              std::chrono::milliseconds timeout) {
  const std::string what = std::string(method) + " " + url + ": ";
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Error(what + "no answer within " + std::to_string(timeout.count()) + " ms");
  }
  if (code == CURLE_WRITE_ERROR) {
    return Error(what + "the answer is larger than " + std::to_string(kMaxReplyBytes) + " bytes");
  }
  return Error(what + (*detail != '\0' ? detail : curl_easy_strerror(code)));
}

// `json_body` null: GET. No other method exists here; above all not DELETE, which removes models from disk.
Result<HttpReply> exchange(std::uint16_t port, const std::string& path, const std::string* json_body,
                           std::chrono::milliseconds timeout) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const Handle curl(ready == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (!curl) {
    return Error("libcurl cannot be started");
  }
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + path;
  const Headers headers = json_body != nullptr ? json_headers() : Headers(nullptr, curl_slist_free_all);
  std::array<char, CURL_ERROR_SIZE> detail{};
  HttpReply reply;
  set_common(curl.get(), url, timeout, reply.body);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, detail.data());
  if (json_body != nullptr) {
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(json_body->size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, json_body->c_str());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    return failure(json_body != nullptr ? "POST" : "GET", url, code, detail.data(), timeout);
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &reply.status);
  return reply;
}

}  // namespace

Result<HttpReply> http_get(std::uint16_t port, const std::string& path, std::chrono::milliseconds timeout) {
  return exchange(port, path, nullptr, timeout);
}

Result<HttpReply> http_post_json(std::uint16_t port, const std::string& path, const std::string& body,
                                 std::chrono::milliseconds timeout) {
  return exchange(port, path, &body, timeout);
}

}  // namespace llamavisor
