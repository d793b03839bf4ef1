#include "gateway/overflow.h"

#include "support/catch.h"

using namespace llamavisor;

TEST_CASE("a prompt that is too long is known from both servers' words, and from no others") {
  const auto newer = read_overflow(
      R"({"error":"request (6002 tokens) exceeds the available context size (2048 tokens), try increasing it"})");
  REQUIRE(newer);
  CHECK(newer->prompt_tokens == 6002U);
  CHECK(newer->num_ctx == 2048U);
  const auto older = read_overflow(R"({"error":"the input length exceeds the context length"})");
  REQUIRE(older);
  CHECK_FALSE(older->prompt_tokens);
  CHECK_FALSE(older->num_ctx);
  CHECK_FALSE(read_overflow(""));
  CHECK_FALSE(read_overflow(R"({"error":"invalid options: num_ctx"})"));
  const auto no_numbers =
      read_overflow("request (many tokens) exceeds the available context size (99999999999999999999 tokens)");
  REQUIRE(no_numbers);
  CHECK_FALSE(no_numbers->prompt_tokens);
  CHECK_FALSE(no_numbers->num_ctx);
}

TEST_CASE("sentence and field name what is known") {
  CHECK(describe({6002, 2048}, "a") == "the prompt has 6002 tokens and num_ctx of a is 2048");
  CHECK(describe({6002, {}}, "a") == "the prompt has 6002 tokens, longer than num_ctx of a");
  CHECK(describe({{}, 2048}, "a") == "the prompt is too long and num_ctx of a is 2048");
  CHECK(truncation_field({6002, 2048}) == "Llamavisor-Truncated: prompt_tokens=6002, num_ctx=2048\r\n");
  CHECK(truncation_field({{}, {}}) == "Llamavisor-Truncated: prompt_tokens=?\r\n");
}

TEST_CASE("the larger num_ctx holds the prompt and an answer, and is always larger") {
  CHECK(num_ctx_for({6002, 2048}, 0) == 8192);
  CHECK(num_ctx_for({7169, 2048}, 0) == 10240);
  CHECK(num_ctx_for({{}, 2048}, 40'000) == 22'528);  // 20,000 tokens and 1,024
  CHECK(num_ctx_for({{}, 8192}, 10) == 10'240);
  CHECK(num_ctx_for({~0ULL / 2, 1}, 0) == 0xffffffffU);
}
