#include "gateway/body_scan.h"

#include <zstd.h>

#include "support/catch.h"

using namespace llamavisor;

namespace {

std::optional<BodyFacts> scan(std::string body) {
  BodyScanner scanner;
  return scanner.scan(body);
}

std::string edit(std::string body, std::optional<std::uint32_t> num_ctx,
                 std::optional<KeepAlive> keep_alive = {}) {
  BodyScanner scanner;
  const auto facts = scanner.scan(body);
  return facts ? edit_body(body, *facts, {.num_ctx = num_ctx, .keep_alive = keep_alive}) : "unread";
}

}  // namespace

TEST_CASE("keys are read in any case and the last one wins, as Go does it", "[scan]") {
  REQUIRE(scan(R"({"Model":"x","MODEL":"y"})")->model == "y");
  REQUIRE(scan(R"({"m\u006fdel":"x"})")->model == "x");
  REQUIRE(scan("{\"model\":\"x\",\"option\xC5\xBF\":{\"num_ctx\":8}}")->num_ctx == 8U);
  REQUIRE(scan("{\"model\":\"x\",\"\xE2\x84\xAA"
               "eep_alive\":0}")
              ->keep_alive_zero);
  REQUIRE(scan(R"({"model":"x","options":{"NUM_CTX":8}})")->num_ctx == std::nullopt);
}

TEST_CASE("options of several objects are merged and null clears them", "[scan]") {
  REQUIRE(scan(R"({"model":"x","options":{"num_ctx":1},"options":{"a":2}})")->num_ctx == 1U);
  REQUIRE(scan(R"({"model":"x","options":{"num_ctx":1},"options":null})")->num_ctx == std::nullopt);
  REQUIRE(scan(R"({"model":"x","options":{"num_ctx":4.096e3}})")->num_ctx == 4096U);
  REQUIRE(scan(R"({"model":"x","options":{"num_ctx":-1}})")->num_ctx == std::nullopt);
}

TEST_CASE("what is not a JSON object with a model is not read", "[scan]") {
  for (const char* body :
       {"", "[]", "{", "{}", "null", R"({"model":7})", R"({"model":"a")", "{\"model\":\"\xff\"}"}) {
    INFO(body);
    REQUIRE_FALSE(scan(body));
  }
}

TEST_CASE("a bare unload is told apart from a request", "[scan]") {
  REQUIRE_FALSE(scan(R"({"model":"x","keep_alive":0,"prompt":""})")->has_prompt);
  REQUIRE_FALSE(scan(R"({"model":"x","keep_alive":0,"messages":[ ]})")->has_prompt);
  REQUIRE(scan(R"({"model":"x","keep_alive":0,"messages":[{"role":"user","content":"hi"}]})")->has_prompt);
  REQUIRE(scan(R"({"model":"x","keep_alive":"0s"})")->keep_alive_zero);
  REQUIRE_FALSE(scan(R"({"model":"x","keep_alive":"5m"})")->keep_alive_zero);
}

TEST_CASE("num_ctx is spliced in and all other bytes stay", "[edit]") {
  REQUIRE(edit(R"({ "model" : "x" , "options":{"num_ctx" : 8192 ,"seed":1} })", 4096) ==
          R"({ "model" : "x" , "options":{"num_ctx" : 4096 ,"seed":1} })");
  REQUIRE(edit(R"({"model":"x","options":{"seed":1}})", 4096) ==
          R"({"model":"x","options":{"num_ctx":4096,"seed":1}})");
  REQUIRE(edit(R"({"model":"x","options":{}})", 4096) == R"({"model":"x","options":{"num_ctx":4096}})");
  REQUIRE(edit(R"({"model":"x","options":null})", 4096) == R"({"model":"x","options":{"num_ctx":4096}})");
  REQUIRE(edit(R"({"model":"x"})", 4096) == R"({"options":{"num_ctx":4096},"model":"x"})");
}

TEST_CASE("the owner's keep_alive replaces whatever form the client used", "[edit]") {
  const KeepAlive minute{std::chrono::minutes(1), false};
  REQUIRE(edit(R"({"model":"x","keep_alive":"-1"})", {}, minute) ==
          R"({"model":"x","keep_alive":"60000ms"})");
  REQUIRE(edit(R"({"keep_alive":0,"model":"x"})", 2048, KeepAlive{{}, true}) ==
          R"({"options":{"num_ctx":2048},"keep_alive":-1,"model":"x"})");
}

TEST_CASE("an edited body is read back as edited", "[edit]") {
  for (const char* body :
       {R"({"model":"x","options":{"num_ctx":1},"options":{"num_ctx":2}})", R"({"options":null,"model":"x"})",
        R"({"model":"x","messages":[{"a":{"b":[1]}}]})"}) {
    REQUIRE(scan(edit(body, 777))->num_ctx == 777U);
  }
}

TEST_CASE("the model of a multipart form is found", "[form]") {
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nRIFF\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b--\r\n";
  REQUIRE(model_in_form("multipart/form-data; boundary=b", body) == "whisper");
  REQUIRE(model_in_form("multipart/form-data; boundary=\"b\"", body) == "whisper");
  REQUIRE_FALSE(model_in_form("multipart/form-data", body));
}

TEST_CASE("zstd bodies are decoded within a bound", "[zstd]") {
  const std::string plain(100'000, 'x');
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
  REQUIRE(decode_zstd(packed, 200'000) == plain);
  REQUIRE_FALSE(decode_zstd(packed, 99'999));
  REQUIRE_FALSE(decode_zstd(packed.substr(0, packed.size() / 2), 200'000));
  REQUIRE_FALSE(decode_zstd("not zstd", 1000));
}

TEST_CASE("truncation is forbidden in place, or in a key of its own, and only null counts as unsaid",
          "[scan]") {
  const auto forbid = [](std::string body) {
    BodyScanner scanner;
    const auto facts = scanner.scan(body);
    return edit_body(body, *facts, {.forbid_truncation = true});
  };
  CHECK(forbid(R"({"model":"x","prompt":"p"})") == R"({"truncate":false,"model":"x","prompt":"p"})");
  CHECK(forbid(R"({"model":"x","Truncate": null })") == R"({"model":"x","Truncate": false })");
  CHECK(scan(R"({"model":"x","truncate":true})")->truncate_said);
  CHECK(scan(R"({"model":"x","truncate":false})")->truncate_said);
  CHECK_FALSE(scan(R"({"model":"x","truncate":null})")->truncate_said);
  CHECK_FALSE(scan(R"({"model":"x"})")->truncate_said);
}
