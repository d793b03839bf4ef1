#include "simulate/study.h"

#include "simulate/make_trace.h"
#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;

namespace {

Study study_of(std::vector<std::string> policies) {
  Study out;
  out.policies = std::move(policies);
  out.limits_bytes = {8ULL << 30U, 12ULL << 30U};
  out.plugin_dirs = {LLV_PLUGIN_DIR};
  return out;
}

}  // namespace

TEST_CASE(
    "the shipped plugins are replayed side by side: none beats the bound, and a second run is the same") {
  const auto trace = make_trace("rag", 1, 600);
  REQUIRE(trace);
  const Study study =
      study_of({"lru", "lfu", "largest", "gdsf", "idle_ttl", "composite", "ollama", "foresight"});
  const auto one = run_study(*trace, study);
  const auto two = run_study(*trace, study);
  REQUIRE(one);
  REQUIRE(two);
  REQUIRE(one->rows.size() == 16);
  REQUIRE(one->bounds.size() == 2);
  for (std::size_t i = 0; i < one->rows.size(); ++i) {
    const StudyRow& row = one->rows[i];
    INFO(row.policy);
    CHECK(row.result.requests == 600);
    CHECK(row.result.evictions > 0);
    CHECK(row.result.reload >= one->bounds[i / 8].reload);
    CHECK(row.result.peak_bytes <= row.limit_bytes);
    CHECK(row.result.victims == two->rows[i].result.victims);
    CHECK(row.result.waited == two->rows[i].result.waited);
  }
  CHECK(one->rows[0].result.victims !=
        one->rows[2].result.victims);    // lru and largest: it is the plugin that ranks
  for (std::size_t i = 0; i < 6; ++i) {  // the plugins, which do not know what comes
    CHECK(one->rows[i].result.reload > one->rows[7].result.reload);
  }
}

TEST_CASE("a plugin without keys decides as the built-in policy that it is modelled on") {
  const auto trace = make_trace("zipf", 2, 400);
  REQUIRE(trace);
  const Study study = study_of({"lru"});
  const auto by_plugin = run_study(*trace, study);
  REQUIRE(by_plugin);
  ManualClock clock;
  const auto room = make_policy_room(nullptr);
  const auto built_in = replay(
      *trace, {.limit_bytes = study.limits_bytes[0], .thrash_window = study.settings.policy.thrash_window},
      clock, *room);
  REQUIRE(built_in);
  CHECK(by_plugin->rows[0].result.victims == built_in->victims);
}

TEST_CASE("ask is not simulated, and a policy that is not there is said") {
  const auto trace = make_trace("rag", 1, 10);
  REQUIRE(trace);
  const auto ask = run_study(*trace, study_of({"ask"}));
  REQUIRE_FALSE(ask);
  CHECK(ask.error().text().find("it asks people") != std::string::npos);
  const auto typo = run_study(*trace, study_of({"gdsff"}));
  REQUIRE_FALSE(typo);
  CHECK(typo.error().text().find("did you mean gdsf?") != std::string::npos);
}
