#include "control/control_server.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <list>

#include "support/catch.h"
#include "support/fake_supervisor.h"
#include "support/file_tree.h"
#include "support/results.h"
#include "support/unix_client.h"

using namespace llamavisor;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace json = boost::json;
using llamavisor::testing::FakeSupervisor;
using llamavisor::testing::FileTree;
using llamavisor::testing::UnixClient;

namespace {

// A server in a folder of its own and its event loop, run by hand.
struct Rig {
  FileTree tree;
  std::string path = tree.root() + "/run/control.sock";
  boost::asio::io_context io;
  FakeSupervisor supervisor;
  std::unique_ptr<ControlServer> server;

  Rig() {
    auto started = start_control_server(io, path, supervisor);
    REQUIRE(started);
    server = std::move(*started);
  }
  void run(std::chrono::milliseconds time = 5ms) {
    io.restart();
    io.run_for(time);
  }
  // Runs until it is so; false: it was not within the time.
  bool until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) {
        return false;
      }
      run();
    }
    return true;
  }
  // A client that the kernel has queued; the queue is short, so the server may have to take others first.
  void connect(std::list<UnixClient>& clients) {
    REQUIRE(until([&] {
      if (clients.emplace_back(path).connected()) {
        return true;
      }
      clients.pop_back();
      return false;
    }));
  }
  // Runs until the server has closed the connection; false: it did not within the time.
  bool ends(UnixClient& client, std::chrono::milliseconds limit = 20s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (client.take() && std::chrono::steady_clock::now() < end) {
      run();
    }
    return !client.take();
  }
  std::string raw(const std::string& request) {
    UnixClient client(path);
    REQUIRE(client.connected());
    client.send(request);
    REQUIRE(ends(client));
    return client.received;
  }
  std::string get(const std::string& target) { return raw("GET " + target + " HTTP/1.1\r\nHost: l\r\n\r\n"); }
  std::string post(const std::string& target, const std::string& body) {
    return raw("POST " + target + " HTTP/1.1\r\nHost: l\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body);
  }
};

int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
}

std::string text_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

json::object body_of(const std::string& answer) {
  return json::parse(text_of(answer)).as_object();
}

std::string called(const std::string& answer) {
  return std::string(body_of(answer).at("called").as_string());
}

unsigned mode_of(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

}  // namespace

TEST_CASE("the control socket is for its owner alone, in a folder for its owner alone") {
  const Rig rig;
  CHECK(mode_of(rig.path) == 0600);
  CHECK(mode_of(rig.tree.root() + "/run") == 0700);
}

TEST_CASE("the control socket is gone when its server is") {
  Rig rig;
  rig.server.reset();
  CHECK_FALSE(fs::exists(rig.path));
  CHECK_FALSE(UnixClient(rig.path).connected());
}

TEST_CASE("each resource asks the supervisor and answers JSON with its length") {
  Rig rig;
  const std::vector<std::pair<std::string, std::string>> gets{
      {"/v1/status", "status"},     {"/v1/ps", "ps"},
      {"/v1/models", "models"},     {"/v1/limit", "limit"},
      {"/v1/profiles", "profiles"}, {"/v1/plugins", "plugins"},
      {"/v1/config", "config"},     {"/v1/doctor", "doctor"}};
  for (const auto& [target, call] : gets) {
    const std::string answer = rig.get(target);
    CHECK(status_of(answer) == 200);
    CHECK(called(answer) == call);
    CHECK_THAT(answer,
               ContainsSubstring("\r\nContent-Length: " + std::to_string(text_of(answer).size()) + "\r\n"));
    CHECK_THAT(answer, ContainsSubstring("\r\nContent-Type: application/json\r\n"));
  }
  const std::vector<std::array<std::string, 3>> posts{
      {"/v1/evict", R"({"model": "a", "reason": "why"})", "evict a why"},
      {"/v1/pin", R"({"model": "a"})", "pin a"},
      {"/v1/unpin", R"({"model": "a"})", "unpin a"},
      {"/v1/limit", R"({"limit": "6GB"})", "set_limit 6GB"},
      {"/v1/profile", R"({"name": "laptop"})", "use_profile laptop"},
      {"/v1/reload", "", "reload"},
      {"/v1/plugin/use", R"({"role": "eviction", "name": "lru"})", "use_plugin eviction lru"},
      {"/v1/plugin/shadow", R"({"role": "eviction", "name": "off"})", "shadow_plugin eviction off"}};
  for (const auto& [target, body, call] : posts) {
    CHECK(called(rig.post(target, body)) == call);
  }
}

TEST_CASE("an error of the supervisor keeps its status, its words and its hint") {
  Rig rig;
  rig.supervisor.refusal = {409, Error("a is pinned", "llamavisor unpin a")};
  const std::string answer = rig.post("/v1/evict", R"({"model": "refuse"})");
  CHECK(status_of(answer) == 409);
  CHECK(body_of(answer) == json::object{{"error", "a is pinned"}, {"hint", "llamavisor unpin a"}});
}

TEST_CASE("an unknown route is 404 and a wrong method 405") {
  Rig rig;
  CHECK(status_of(rig.get("/v1/nothing")) == 404);
  CHECK(status_of(rig.get("/")) == 404);
  CHECK(status_of(rig.get("/v1/status/")) == 404);
  CHECK(status_of(rig.get("/v1/evict")) == 405);
  CHECK(status_of(rig.post("/v1/status", "{}")) == 405);
  CHECK(status_of(rig.raw("DELETE /v1/status HTTP/1.1\r\n\r\n")) == 405);
  CHECK(rig.supervisor.calls.empty());
}

TEST_CASE("a body that is no JSON object, or lacks what is needed, is 400 and changes nothing") {
  Rig rig;
  const std::string deep = "{\"model\": " + std::string(5000, '[') + std::string(5000, ']') + "}";
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string("5"), std::string("\"a\""), std::string("{}x"),
        std::string("{\"model\": \"\xff\"}"), std::string("\0", 1), deep, std::string("{}"),
        std::string("{\"model\": 5}"), std::string("{\"model\": \"\"}"), std::string("{\"Model\": \"a\"}")}) {
    const std::string answer = rig.post("/v1/evict", body);
    CHECK(status_of(answer) == 400);
    CHECK(body_of(answer).at("error").as_string().size() < 200);
  }
  CHECK(status_of(rig.post("/v1/evict", "")) == 400);
  CHECK(rig.supervisor.calls.empty());
}

TEST_CASE("a request that is too large is refused, whether it says so or not") {
  Rig rig;
  const std::string large(70'000, ' ');
  CHECK(status_of(rig.raw("POST /v1/evict HTTP/1.1\r\nContent-Length: 70000\r\n\r\n")) == 413);
  CHECK(status_of(rig.raw("POST /v1/evict HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n")) == 413);
  CHECK(status_of(rig.raw("POST /v1/evict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n" +
                          large)) == 413);
  CHECK(status_of(rig.raw("GET /v1/status HTTP/1.1\r\nX: " + large + "\r\n\r\n")) == 431);
  CHECK(rig.supervisor.calls.empty());
}

TEST_CASE("what is no HTTP is 400") {
  Rig rig;
  for (const char* request :
       {"hello\r\n\r\n", "GET /v1/status\r\n\r\n", "GET /v1/status HTTP/9.9\r\n\r\n",
        "POST /v1/evict HTTP/1.1\r\nContent-Length: x\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"}) {
    CHECK(status_of(rig.raw(request)) == 400);
  }
}

TEST_CASE("logs and events take their numbers from the query, within bounds") {
  Rig rig;
  CHECK(text_of(rig.get("/v1/logs")) == "lines=200\none\ntwo\n");
  CHECK(text_of(rig.get("/v1/logs?lines=5")) == "lines=5\none\ntwo\n");
  CHECK(text_of(rig.get("/v1/logs?x=1&lines=99999999&y")) == "lines=10000\none\ntwo\n");
  CHECK(text_of(rig.get("/v1/logs?lines=-1")) == "lines=200\none\ntwo\n");
  CHECK(text_of(rig.get("/v1/logs?lines=99999999999999999999")) == "lines=200\none\ntwo\n");
  CHECK(text_of(rig.get("/v1/events?since=7")) == "since=7\none\ntwo\n");
  CHECK_THAT(rig.get("/v1/events"), ContainsSubstring("Content-Type: application/x-ndjson"));
}

TEST_CASE("a follower gets the tail, then each piece at once, until it leaves") {
  Rig rig;
  UnixClient client(rig.path);
  client.send("GET /v1/events?follow=1 HTTP/1.1\r\n\r\n");
  REQUIRE(rig.until([&] { return rig.supervisor.sinks.size() == 1; }));
  rig.supervisor.sinks.begin()->second("three\n");
  rig.supervisor.sinks.begin()->second("four\n");
  REQUIRE(rig.until([&] { return client.take() && client.received.ends_with("four\n"); }));
  CHECK(text_of(client.received) == "since=0\none\ntwo\nthree\nfour\n");
  client.close();
  CHECK(rig.until([&] { return rig.supervisor.sinks.empty(); }));
}

TEST_CASE("a follower that does not read is let go of before it costs much memory") {
  Rig rig;
  UnixClient client(rig.path);
  client.send("GET /v1/logs?follow=1 HTTP/1.1\r\n\r\n");
  REQUIRE(rig.until([&] { return rig.supervisor.sinks.size() == 1; }));
  const std::string piece(64 * 1024, 'x');
  std::size_t pieces = 0;
  for (; pieces < 1000 && !rig.supervisor.sinks.empty(); ++pieces) {
    const StreamSink sink = rig.supervisor.sinks.begin()->second;
    sink(piece);
    rig.run(1ms);
  }
  CHECK(pieces < 50);
  REQUIRE(rig.ends(client));
  CHECK(client.received.ends_with("you read too slowly; the stream ends here\n"));
}

TEST_CASE("an answer that comes late reaches its client, and one that left harms nobody") {
  Rig rig;
  UnixClient stays(rig.path);
  UnixClient leaves(rig.path);
  for (UnixClient* client : {&stays, &leaves}) {
    client->send("POST /v1/evict HTTP/1.1\r\nContent-Length: 17\r\n\r\n{\"model\":\"later\"}");
  }
  REQUIRE(rig.until([&] { return rig.supervisor.later.size() == 2; }));
  leaves.close();
  rig.run();
  for (const ControlCallback& answer : rig.supervisor.later) {
    answer(json::object{{"model", "later"}});
  }
  REQUIRE(rig.ends(stays));
  CHECK(body_of(stays.received).at("model") == "later");
  rig.supervisor.later.clear();
  CHECK(status_of(rig.get("/v1/status")) == 200);
}

TEST_CASE("clients that send half a request are let go of within a bound, and others are served meanwhile") {
  Rig rig;
  std::list<UnixClient> slow;
  for (const char* half : {"", "GET /v1/st", "POST /v1/evict HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"}) {
    slow.emplace_back(rig.path).send(half);
  }
  rig.run();
  CHECK(status_of(rig.get("/v1/status")) == 200);
  for (UnixClient& client : slow) {
    CHECK(rig.ends(client, 30s));
  }
}

TEST_CASE("clients that leave in the middle of a request cost nothing") {
  Rig rig;
  for (int i = 0; i < 400; ++i) {
    std::list<UnixClient> one;
    rig.connect(one);
    UnixClient& client = one.back();
    client.send(i % 3 == 0   ? ""
                : i % 3 == 1 ? "GET /v1/sta"
                             : "POST /v1/evict HTTP/1.1\r\nContent-Length: 9\r\n\r\n{");
    if (i % 2 == 0) {
      client.shut_down();
      rig.run(1ms);
    }
    client.close();
    rig.run(1ms);
  }
  CHECK(status_of(rig.get("/v1/status")) == 200);
}

TEST_CASE("many clients at once are all answered, and too many are told so") {
  Rig rig;
  std::list<UnixClient> followers;
  for (std::size_t i = 1; i <= 64; ++i) {
    rig.connect(followers);
    followers.back().send("GET /v1/events?follow=1 HTTP/1.1\r\n\r\n");
    REQUIRE(rig.until([&] { return rig.supervisor.sinks.size() == i; }));
  }
  CHECK(status_of(rig.get("/v1/status")) == 503);
  followers.clear();
  CHECK(rig.until([&] { return rig.supervisor.sinks.empty(); }));
  std::list<UnixClient> many;
  for (int i = 0; i < 60; ++i) {
    rig.connect(many);
  }
  for (UnixClient& client : many) {
    client.send("GET /v1/status HTTP/1.1\r\n\r\n");
  }
  for (UnixClient& client : many) {
    REQUIRE(rig.ends(client));
    CHECK(status_of(client.received) == 200);
  }
}

TEST_CASE("the server can go while clients are in every state") {
  auto rig = std::make_unique<Rig>();
  std::list<UnixClient> clients;
  for (const char* request : {"", "GET /v1/st", "GET /v1/events?follow=1 HTTP/1.1\r\n\r\n",
                              "POST /v1/evict HTTP/1.1\r\nContent-Length: 17\r\n\r\n{\"model\":\"later\"}"}) {
    clients.emplace_back(rig->path).send(request);
  }
  REQUIRE(rig->until([&] { return rig->supervisor.sinks.size() + rig->supervisor.later.size() == 2; }));
  clients.emplace_back(rig->path).send("GET /v1/status HTTP/1.1\r\n\r\n");
  rig->server.reset();
  rig->run();
  CHECK(rig->supervisor.sinks.empty());
  CHECK(rig->supervisor.calls.empty());
  for (UnixClient& client : clients) {
    CHECK_FALSE(client.take());
  }
  rig->supervisor.later.clear();
}

TEST_CASE("only root and the owner are answered") {
  Rig rig;
  if (geteuid() != 0) {
    WARN("needs root to be another user; the socket's mode is what keeps others out");
    return;
  }
  fs::permissions(rig.tree.root(), fs::perms::all);
  fs::permissions(rig.tree.root() + "/run", fs::perms::all);
  fs::permissions(rig.path, fs::perms::all);
  const pid_t child = fork();
  if (child == 0) {
    const bool other = setuid(65534) == 0;
    UnixClient client(rig.path);
    client.send("GET /v1/status HTTP/1.1\r\n\r\n");
    while (client.take()) {
      usleep(1000);
    }
    _exit(other && client.connected() && client.received.empty() ? 0 : 1);
  }
  int status = -1;
  while (waitpid(child, &status, WNOHANG) == 0) {
    rig.run();
  }
  CHECK(status == 0);
  CHECK(rig.supervisor.calls.empty());
}
