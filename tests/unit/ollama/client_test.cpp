#include "ollama/client.h"

#include "ollama/http_client.h"
#include "ollama/run_on_worker.h"
#include "support/catch.h"
#include "support/fake_ollama.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;
using llamavisor::testing::FakeConfig;
using llamavisor::testing::FakeOllama;

TEST_CASE("the client reads version and loaded models of a server") {
  FakeOllama fake;
  const OllamaClient client(fake.port());
  CHECK(*client.version(5s) == "0.24.0");
  CHECK(client.ps(5s)->empty());
  REQUIRE(client.touch("a", {60s, false}, 2048, 5s));
  const auto loaded = client.ps(5s);
  REQUIRE(loaded);
  REQUIRE(loaded->size() == 1);
  CHECK(loaded->front().name == "a:latest");
  CHECK(loaded->front().size_bytes == 8U << 20U);
  CHECK(loaded->front().num_ctx == 2048U);
}

TEST_CASE("an unload is a generate request with keep_alive 0 and never a DELETE") {
  FakeOllama fake;
  const OllamaClient client(fake.port());
  REQUIRE(client.touch("a", {60s, false}, std::nullopt, 5s));
  REQUIRE(client.unload("a", 5s));
  CHECK(fake.loaded().empty());
  const auto request = fake.requests().back();
  CHECK(request.method == "POST");
  CHECK(request.target == "/api/generate");
  CHECK(request.body == R"({"model":"a","keep_alive":0,"stream":false})");
  CHECK(request.header("Expect").empty());
}

TEST_CASE("an error of the server reaches the caller in the server's words") {
  FakeOllama fake;
  const auto unloaded = OllamaClient(fake.port()).unload("nobody", 5s);
  REQUIRE(unloaded.has_error());
  CHECK_THAT(unloaded.error().message, ContainsSubstring("404"));
  CHECK_THAT(unloaded.error().message, ContainsSubstring("model 'nobody:latest' not found"));
}

TEST_CASE("a server without /api/ps is an error and not an empty list") {
  FakeConfig config;
  config.ps = "missing";
  FakeOllama fake(config);
  const auto loaded = OllamaClient(fake.port()).ps(5s);
  REQUIRE(loaded.has_error());
  CHECK_THAT(loaded.error().message, ContainsSubstring("404"));
}

TEST_CASE("a server that does not answer costs the time-out and no more") {
  FakeConfig config;
  config.ps = "hang";
  FakeOllama fake(config);
  const auto loaded = OllamaClient(fake.port()).ps(50ms);
  REQUIRE(loaded.has_error());
  CHECK_THAT(loaded.error().message, ContainsSubstring("no answer within 50 ms"));
}

TEST_CASE("an answer beyond the bound is given up") {
  FakeConfig config;
  config.version = std::string(kMaxReplyBytes, 'v');
  FakeOllama fake(config);
  const auto version = OllamaClient(fake.port()).version(10s);
  REQUIRE(version.has_error());
  CHECK_THAT(version.error().message, ContainsSubstring("larger than"));
}

TEST_CASE("nobody listening is an error that names the address") {
  std::uint16_t port = 0;
  {
    FakeOllama gone;
    port = gone.port();
  }
  const auto version = OllamaClient(port).version(5s);
  REQUIRE(version.has_error());
  CHECK_THAT(version.error().message, ContainsSubstring("127.0.0.1:" + std::to_string(port)));
}

TEST_CASE("a proxy in the environment is not used for our own calls") {
  FakeOllama fake;
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  const auto version = OllamaClient(fake.port()).version(5s);
  ::unsetenv("http_proxy");
  CHECK(version.has_value());
}

TEST_CASE("work on a worker hands its result to the io thread") {
  boost::asio::io_context io(1);
  boost::asio::thread_pool workers(1);
  std::thread::id worked_on;
  std::thread::id done_on;
  run_on_worker(
      workers, io, [&] { return (worked_on = std::this_thread::get_id(), 42); },
      [&](int result) {
        CHECK(result == 42);
        done_on = std::this_thread::get_id();
      });
  io.run();  // returns only after the answer came
  CHECK(done_on == std::this_thread::get_id());
  CHECK(worked_on != done_on);
}
