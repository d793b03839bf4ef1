#include "gateway/http_head.h"

#include "gateway/body_tracker.h"
#include "gateway/gateway.h"
#include "gateway/host_guard.h"
#include "gateway/replies.h"
#include "gateway/routes.h"
#include "support/catch.h"

using namespace llamavisor;

namespace {

std::string reason_of(std::string_view text) {
  RequestHead head;
  const auto bad = parse_request_head(text, head);
  return bad ? bad->reason : "";
}

std::string with(std::string_view fields) {
  return "POST /api/chat HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n";
}

struct Tracked {
  std::size_t used = 0;
  std::string payload;
  bool done = false;
  bool bad = false;
};

// Feeds `data` in pieces of `step` bytes.
Tracked track(Framing framing, std::uint64_t length, std::string_view data, std::size_t step) {
  Tracked out;
  BodyTracker tracker(framing, length);
  for (std::size_t at = 0; at < data.size() && !tracker.done() && !tracker.bad(); at += step) {
    out.used += tracker.take(data.substr(at, step), &out.payload);
  }
  out.done = tracker.done();
  out.bad = tracker.bad();
  return out;
}

}  // namespace

TEST_CASE("a request head is read with its fields, framing and keep-alive", "[head]") {
  RequestHead head;
  const std::string text = with("Content-Length: 12\r\nX-A: b c\r\nConnection: close\r\n");
  REQUIRE(head_length(text + "body") == text.size());
  REQUIRE_FALSE(parse_request_head(text, head));
  REQUIRE(head.method == "POST");
  REQUIRE(head.target == "/api/chat");
  REQUIRE(head.framing == Framing::length);
  REQUIRE(head.content_length == 12);
  REQUIRE(head.field("x-a") == "b c");
  REQUIRE_FALSE(head.keep_alive);
}

TEST_CASE("heads that two servers could read in two ways are refused", "[head]") {
  REQUIRE_THAT(reason_of(with("Content-Length: 1\r\nContent-Length: 1\r\n")),
               ContainsSubstring("Content-Length"));
  REQUIRE_THAT(reason_of(with("Content-Length: 1\r\nContent-Length: 2\r\n")), ContainsSubstring(""));
  REQUIRE(reason_of(with("Content-Length: 1\r\nContent-Length: 2\r\n")) != "");
  REQUIRE(reason_of(with("Content-Length: 1, 1\r\n")) != "");
  REQUIRE(reason_of(with("Content-Length: +1\r\n")) != "");
  REQUIRE(reason_of(with("Content-Length: -1\r\n")) != "");
  REQUIRE(reason_of(with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")) != "");
  REQUIRE(reason_of(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")) != "");
  REQUIRE(reason_of(with("Transfer-Encoding: gzip, chunked\r\n")) != "");
  REQUIRE(reason_of(with("Transfer-Encoding: xchunked\r\n")) != "");
  REQUIRE(reason_of(with("Transfer-Encoding : chunked\r\n")) != "");
  REQUIRE(reason_of(with("X: a\r\n b\r\n")) == "folded line in the request head");
  REQUIRE(reason_of(with("X: a\nY: b\r\n")) == "bare CR or LF in the request head");
  REQUIRE(reason_of(with("X: a\rY: b\r\n")) == "bare CR or LF in the request head");
  REQUIRE(reason_of(with(std::string_view("X: a\0b\r\n", 8))) == "NUL in the request head");
  REQUIRE(reason_of(with("Host: other\r\n")) == "missing or repeated Host");
  REQUIRE(reason_of("GET / HTTP/1.1\r\n\r\n") == "missing or repeated Host");
  REQUIRE(reason_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") != "");
  REQUIRE(reason_of("GARBAGE\r\n\r\n") != "");
  REQUIRE(reason_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") != "");
}

TEST_CASE("HTTP/1.0 needs no Host and does not keep the connection", "[head]") {
  RequestHead head;
  REQUIRE_FALSE(parse_request_head("GET / HTTP/1.0\r\n\r\n", head));
  REQUIRE_FALSE(head.keep_alive);
}

TEST_CASE("an answer's body ends where its head says", "[head]") {
  ResponseHead head;
  REQUIRE_FALSE(parse_response_head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, head));
  REQUIRE(head.framing == Framing::chunked);
  REQUIRE_FALSE(parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, head));
  REQUIRE(head.framing == Framing::none);
  REQUIRE(head.keep_alive);
  REQUIRE_FALSE(parse_response_head("HTTP/1.1 204 No Content\r\n\r\n", false, head));
  REQUIRE(head.framing == Framing::none);
  REQUIRE_FALSE(parse_response_head("HTTP/1.0 200 OK\r\n\r\n", false, head));
  REQUIRE(head.framing == Framing::until_close);
}

TEST_CASE("a chunked body ends at the same byte however it is cut", "[body]") {
  const std::string body = "4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\nTrailer: 1\r\n\r\n";
  for (std::size_t step = 1; step <= body.size() + 4; ++step) {
    const Tracked out = track(Framing::chunked, 0, body + "NEXT", step);
    REQUIRE(out.done);
    REQUIRE(out.used == body.size());
    REQUIRE(out.payload == "Wikipedia ");
  }
}

TEST_CASE("chunked bodies that are laxly framed are bad", "[body]") {
  for (const char* body : {"\r\n", "g\r\n", "4\nWiki", "4\r\nWikiX\r\n", "-1\r\n", " 4\r\n", "4 \r\n",
                           "0x4\r\n", "fffffffffffffffff\r\n", "0\r\n\n", "4\r\nWiki\n"}) {
    INFO(body);
    REQUIRE(track(Framing::chunked, 0, body, 3).bad);
  }
}

TEST_CASE("a body with a length ends there", "[body]") {
  const Tracked out = track(Framing::length, 5, "helloPOST", 2);
  REQUIRE(out.done);
  REQUIRE(out.used == 5);
}

TEST_CASE("routes are found by the decoded path", "[routes]") {
  REQUIRE(find_route("POST", "/api/generate").kind == RouteKind::native);
  REQUIRE(find_route("POST", "/api/%67enerate?x=1").kind == RouteKind::native);
  REQUIRE(find_route("POST", "http://h:1/v1/messages").kind == RouteKind::anthropic);
  REQUIRE(find_route("GET", "/api/generate").kind == RouteKind::other);
  REQUIRE(find_route("DELETE", "/api/delete").kind == RouteKind::manage);
}

TEST_CASE("a foreign Host is refused on a loopback listener, as Ollama does", "[host]") {
  const HostGuard guard(true);
  for (const char* host : {"localhost:11434", "127.0.0.1", "[::1]:11434", "my.local", "x.localhost:1",
                           "192.168.1.5", "10.0.0.1:11434", "0.0.0.0", "a.internal"}) {
    INFO(host);
    REQUIRE(guard.host_allowed(host));
  }
  for (const char* host : {"evil.example", "evil.example:11434", "8.8.8.8", "localhost.evil.example"}) {
    INFO(host);
    REQUIRE_FALSE(guard.host_allowed(host));
  }
  REQUIRE(HostGuard(false).host_allowed("evil.example"));
}

TEST_CASE("our own errors take the form of the client's protocol", "[replies]") {
  REQUIRE_THAT(render({.http_status = 503, .message = "no room", .route = RouteKind::native}),
               ContainsSubstring("{\"error\":\"no room\"}"));
  REQUIRE_THAT(render({.http_status = 503, .message = "no room", .route = RouteKind::openai}),
               ContainsSubstring("{\"error\":{\"message\":\"no room\",\"type\":\"api_error\""));
  REQUIRE_THAT(render({.http_status = 503, .message = "no room", .route = RouteKind::anthropic}),
               ContainsSubstring("overloaded_error"));
  const std::string retry = render(
      {.http_status = 503, .message = "x", .retry_after = std::chrono::seconds(7), .keep_alive = true});
  REQUIRE_THAT(retry, ContainsSubstring("HTTP/1.1 503 Service Unavailable\r\n"));
  REQUIRE_THAT(retry, ContainsSubstring("Retry-After: 7\r\n"));
}

TEST_CASE("listen addresses are read as OLLAMA_HOST is", "[listen]") {
  REQUIRE(parse_listen("")->text() == "127.0.0.1:11434");
  REQUIRE(parse_listen(":8080")->text() == "127.0.0.1:8080");
  REQUIRE(parse_listen("0.0.0.0")->text() == "0.0.0.0:11434");
  REQUIRE(parse_listen("http://127.0.0.1")->text() == "127.0.0.1:80");
  REQUIRE(parse_listen("[::1]:99")->text() == "[::1]:99");
  REQUIRE(parse_listen("::1")->text() == "[::1]:11434");
  REQUIRE(parse_listen("127.0.0.1:70000").has_error());
  REQUIRE(parse_listen("example.org:1").has_error());
}
