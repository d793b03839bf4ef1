#include "base/text.h"

#include "support/catch.h"

using namespace llamavisor;

TEST_CASE("the nearest word is suggested when it is a plausible slip") {
  const std::vector<std::string> commands{"serve", "status", "ps", "models", "evict"};
  CHECK(closest("statsu", commands) == "status");
  CHECK(closest("stat", commands).empty());
  CHECK(closest("model", commands) == "models");
  CHECK(closest("sp", commands).empty());
  CHECK(closest("psx", commands) == "ps");
  CHECK(closest("status", commands) == "status");
  CHECK(closest("restart", commands).empty());
}

TEST_CASE("nothing is suggested for nothing, and a huge word costs no time") {
  CHECK(closest("", {"a"}) == "a");
  CHECK(closest("x", {}).empty());
  CHECK(closest(std::string(10'000'000, 'x'), {"status", std::string(64, 'x')}).empty());
}
