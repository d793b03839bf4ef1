#include "ollama/wire.h"

#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;

TEST_CASE("an entry of /api/ps is read with all its fields") {
  const auto models = parse_ps(R"({"models":[{"name":"A:latest","model":"A:latest","size":5137025024,
    "digest":"2ae6","details":{"family":"llama"},"expires_at":"2024-06-04T14:38:31.83753-07:00",
    "size_vram":12,"context_length":4096}]})");
  REQUIRE(models);
  REQUIRE(models->size() == 1);
  const LoadedModel& model = models->front();
  CHECK(model.name == "a:latest");
  CHECK(model.digest == "2ae6");
  CHECK(model.size_bytes == 5137025024U);
  CHECK(model.vram_bytes == 12U);
  CHECK(model.num_ctx == 4096U);
  CHECK(model.expires_at ==
        WallTime(std::chrono::sys_days(std::chrono::year(2024) / 6 / 4) + 21h + 38min + 31s + 837530us));
}

TEST_CASE("what /api/ps does not say is absent and not 0") {
  const auto models = parse_ps(R"({"models":[{"name":"a"},{"model":"b","size":0,"size_vram":0},
    {"name":"c","size":10,"size_vram":0},{"name":"d","size":-1,"context_length":1e30}]})");
  REQUIRE(models);
  REQUIRE(models->size() == 4);
  CHECK_FALSE(models->at(0).size_bytes);
  CHECK_FALSE(models->at(0).vram_bytes);
  CHECK_FALSE(models->at(0).expires_at);
  CHECK_FALSE(models->at(0).num_ctx);
  CHECK(models->at(1).name == "b:latest");
  CHECK_FALSE(models->at(1).size_bytes);
  CHECK_FALSE(models->at(1).vram_bytes);
  CHECK(models->at(2).vram_bytes == 0U);  // a size is known: this one is on the CPU
  CHECK_FALSE(models->at(3).size_bytes);
  CHECK_FALSE(models->at(3).num_ctx);
}

TEST_CASE("nobody loaded is an empty list") {
  CHECK(parse_ps(R"({"models":[]})")->empty());
  CHECK(parse_ps(R"({"models":null})")->empty());
}

TEST_CASE("an answer to /api/ps that is none is an error") {
  for (const char* body : {"", "404 page not found", "[]", "{}", R"({"models":3})", R"({"models":[)"}) {
    CAPTURE(body);
    CHECK(parse_ps(body).has_error());
  }
  CHECK(parse_ps(R"({"models":[1,null,{"size":3}]})")->empty());
  CHECK(parse_ps(std::string(100'000, '[')).has_error());
}

TEST_CASE("the version is read, and a page that is not Ollama's is refused") {
  CHECK(*parse_version(R"({"version":"0.24.0"})") == "0.24.0");
  CHECK(parse_version("<html>").has_error());
  CHECK(parse_version(R"({"version":1})").has_error());
}

TEST_CASE("the error text is Ollama's own, or the start of the body") {
  CHECK(parse_error_text(R"({"error":"model 'x' not found"})") == "model 'x' not found");
  CHECK(parse_error_text("404 page not found") == "404 page not found");
  CHECK(parse_error_text(std::string(5000, 'x')).size() == 200);
}

TEST_CASE("times far in the future mean never") {
  CHECK(parse_rfc3339("2318-01-01T00:00:00Z") == WallTime::max());
  CHECK(parse_rfc3339("2026-01-02T03:04:05Z") ==
        WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + 3h + 4min + 5s));
  CHECK(parse_rfc3339("2026-01-02T03:04:05.000000001+02:00") ==
        WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + 1h + 4min + 5s + 1ns));
}

TEST_CASE("what is no time is absent") {
  for (const char* text :
       {"", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02", "2026-01-02T03:04:05",
        "2026-01-02T03:04:05Zx", "20x6-01-02T03:04:05Z", "-026-01-02T03:04:05Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rfc3339(text));
  }
}

TEST_CASE("the bodies of our own calls escape what a model name may hold") {
  CHECK(unload_body("a\"b") == R"({"model":"a\"b","keep_alive":0,"stream":false})");
  CHECK(keep_alive_body("a", {1500ms, false}, 4096) ==
        R"({"model":"a","keep_alive":"1500ms","stream":false,"options":{"num_ctx":4096}})");
  CHECK(keep_alive_body("a", {0ms, true}, std::nullopt) == R"({"model":"a","keep_alive":-1,"stream":false})");
}
