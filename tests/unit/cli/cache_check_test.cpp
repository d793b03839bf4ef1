#include "cli/cache_check.h"

#include "support/catch.h"

using namespace llamavisor;

namespace {

std::vector<EnvEntry> env(const std::string& type, const std::string& flash) {
  return {{"OLLAMA_KV_CACHE_TYPE", type, ""}, {"OLLAMA_FLASH_ATTENTION", flash, ""}};
}

}  // namespace

TEST_CASE("a cache that is not quantised, or flash attention that is on, is no problem") {
  for (const ServerEra era : {ServerEra::unknown, ServerEra::b, ServerEra::c}) {
    CHECK_FALSE(cache_problem({}, era));
    for (const char* type : {"", "f16"}) {
      CHECK_FALSE(cache_problem(env(type, "0"), era));
    }
    for (const char* flash : {"1", "true", "yes"}) {
      CHECK_FALSE(cache_problem(env("q8_0", flash), era));
    }
  }
}

TEST_CASE("a quantised cache with flash attention off stops every load of newer servers") {
  for (const char* flash : {"0", "false", "False", "f"}) {
    for (const char* type : {"q8_0", "q4_0"}) {
      for (const ServerEra era : {ServerEra::unknown, ServerEra::c}) {
        const auto problem = cache_problem(env(type, flash), era);
        REQUIRE(problem);
        CHECK_THAT(problem->message, ContainsSubstring("cannot load any model"));
        CHECK_THAT(problem->hint, ContainsSubstring("server.flash_attention = true"));
      }
    }
  }
}

TEST_CASE("a quantised cache does nothing on older servers unless flash attention is on") {
  for (const char* flash : {"", "0"}) {
    const auto problem = cache_problem(env("q8_0", flash), ServerEra::b);
    REQUIRE(problem);
    CHECK_THAT(problem->message, ContainsSubstring("does nothing before Ollama 0.30"));
  }
  CHECK(cache_problem(env("q8_0", ""), ServerEra::unknown));
  CHECK_FALSE(cache_problem(env("q8_0", ""), ServerEra::c));
}
