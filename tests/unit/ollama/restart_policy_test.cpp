#include "ollama/restart_policy.h"

#include "support/catch.h"

using namespace llamavisor;
using namespace std::chrono_literals;

TEST_CASE("the restart delay doubles with each failure in a row up to the longest delay") {
  const RestartRule rule{500ms, 30s};
  const auto delay = [&](unsigned failures) { return restart_delay(rule, failures, 1.0); };
  CHECK(delay(1) == 500ms);
  CHECK(delay(2) == 1s);
  CHECK(delay(3) == 2s);
  CHECK(delay(6) == 16s);
  CHECK(delay(7) == 30s);
  CHECK(delay(1'000'000) == 30s);
}

TEST_CASE("jitter takes at most a quarter off the restart delay") {
  const RestartRule rule{1s, 10s};
  CHECK(restart_delay(rule, 1, 0.0) == 750ms);
  CHECK(restart_delay(rule, 1, 0.5) == 875ms);
  CHECK(restart_delay(rule, 9, 0.0) == 7500ms);
}

TEST_CASE("a longest delay below the shortest one wins") {
  CHECK(restart_delay({5s, 1s}, 1, 1.0) == 1s);
}

TEST_CASE("a server that was well for long starts the count of failures anew") {
  CHECK(count_failure(0, 0ms) == 1);
  CHECK(count_failure(4, 59s) == 5);
  CHECK(count_failure(4, 60s) == 1);
}
