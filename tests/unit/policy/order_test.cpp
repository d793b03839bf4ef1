#include "policy/order.h"

#include "policy/admission.h"
#include "policy/engine.h"
#include "support/catch.h"
#include "support/snapshots.h"

using namespace llamavisor;
using namespace llamavisor::test;

namespace {

std::vector<RankedVictim> as_ranked(const std::vector<std::size_t>& order) {
  std::vector<RankedVictim> out;
  for (const std::size_t index : order) {
    out.push_back({index, 0, "policy"});
  }
  return out;
}

std::vector<std::string> names(const Snapshot& snapshot, const std::vector<RankedVictim>& victims) {
  std::vector<std::string> out;
  for (const RankedVictim& victim : victims) {
    out.push_back(snapshot.models[victim.model_index].name);
  }
  return out;
}
using Names = std::vector<std::string>;

Snapshot three() {
  return snapshot_of(1000, {idle("a", 100, 30), idle("b", 100, 20), idle("c", 100, 10)});
}

}  // namespace

TEST_CASE("a lower priority goes first, whatever the policy says", "[order]") {
  Snapshot snapshot = three();
  snapshot.models[2].priority = -1;
  snapshot.models[0].priority = 5;
  const auto ordered = order_victims(snapshot, as_ranked({0, 1, 2}));
  CHECK(names(snapshot, ordered) == Names{"c", "b", "a"});
  CHECK(ordered[0].reason == "policy; it goes before a, whose priority is higher");
  CHECK(ordered[2].reason == "policy");
}

TEST_CASE("a model that came back soon after its eviction goes later, and the sentence says so", "[order]") {
  Snapshot snapshot = three();
  snapshot.models[0].quick_returns = 2;
  snapshot.models[0].returned_after = std::chrono::seconds(40);
  const auto ordered = order_victims(snapshot, as_ranked({0, 1, 2}));
  CHECK(names(snapshot, ordered) == Names{"b", "c", "a"});
  CHECK(ordered[0].reason ==
        "policy; it goes before a, which was loaded again 40 s after it was evicted (2 times lately) and so "
        "costs more");
  CHECK(
      ordered[2].reason ==
      "policy; it was loaded again 40 s after it was evicted (2 times lately), so it was spared while others "
      "could go");
}

TEST_CASE("models that go together are one unit, at the place of its last member", "[order]") {
  Snapshot snapshot = three();
  snapshot.models[0].together = snapshot.models[2].together = "rag";
  CHECK(names(snapshot, take_enough(snapshot, as_ranked({0, 1, 2}), 50)) == Names{"b"});
  CHECK(names(snapshot, take_enough(snapshot, as_ranked({0, 1, 2}), 150)) ==
        Names{"a", "c"});  // b not needed
  CHECK(names(snapshot, take_enough(snapshot, as_ranked({0, 1, 2}), 250)) == Names{"b", "a", "c"});
  snapshot.models[2].in_flight = 1;  // then none of them goes
  CHECK(names(snapshot, take_enough(snapshot, as_ranked({0, 1}), 250)) == Names{"b"});
}

TEST_CASE("a model over its own limit, and the older one of an exclusive group, break a rule", "[order]") {
  Snapshot snapshot = three();
  CHECK(rule_breakers(snapshot).empty());
  snapshot.models[1].limit_bytes = 99;
  REQUIRE(names(snapshot, rule_breakers(snapshot)) == Names{"b"});
  CHECK(rule_breakers(snapshot)[0].reason == "it holds 100 B, more than its own limit of 99 B");
  snapshot.models[1].limit_bytes = 100;
  snapshot.models[0].exclusive = snapshot.models[2].exclusive = "big";
  REQUIRE(names(snapshot, rule_breakers(snapshot)) == Names{"a"});
  CHECK(rule_breakers(snapshot)[0].reason == "c excludes it (group big)");
  snapshot.models[0].in_flight = 1;  // the busy one stays
  CHECK(names(snapshot, rule_breakers(snapshot)) == Names{"c"});
  snapshot.models[1].together = snapshot.models[2].together = "rag";
  CHECK(names(snapshot, rule_breakers(snapshot)) == Names{"b", "c"});
  snapshot.models[1].pinned = true;
  CHECK(rule_breakers(snapshot).empty());
}

TEST_CASE("a load waits for, or evicts, what it excludes", "[admission]") {
  Snapshot snapshot = three();
  snapshot.models[0].exclusive = "big";
  snapshot.models[0].together = snapshot.models[1].together = "rag";
  const AdmissionQuestion question{"new", 10, 0, "big", {}};
  const auto evict = decide_admission(question, snapshot, as_ranked({2, 1, 0}));
  CHECK(names(snapshot, std::get<EvictFirst>(evict).victims) == Names{"a", "b"});
  CHECK(std::get<EvictFirst>(evict).victims[0].reason == "new excludes it (group big)");
  snapshot.models[1].in_flight = 1;
  const auto drain = decide_admission(question, snapshot, {});
  CHECK(std::get<DrainFirst>(drain).model_indices == std::vector<std::size_t>{0, 1});
  snapshot.models[0].pinned = snapshot.models[1].pinned = true;
  const auto never = decide_admission(question, snapshot, {});
  CHECK(std::get<Refuse>(never).for_ever);
  CHECK_THAT(std::get<Refuse>(never).sentence, ContainsSubstring("excludes b (group big), which is pinned"));
}

TEST_CASE("what an excluded model gives back is not taken from others as well", "[admission]") {
  Snapshot snapshot = snapshot_of(300, {idle("a", 100, 30), idle("b", 100, 20), idle("c", 100, 10)});
  snapshot.models[1].exclusive = "big";
  const auto one = decide_admission({"new", 100, 0, "big", {}}, snapshot, as_ranked({0, 1, 2}));
  CHECK(names(snapshot, std::get<EvictFirst>(one).victims) == Names{"b"});
  const auto two = decide_admission({"new", 150, 0, "big", {}}, snapshot, as_ranked({0, 1, 2}));
  CHECK(names(snapshot, std::get<EvictFirst>(two).victims) == Names{"b", "a"});
}

TEST_CASE("a load over the model's own limit is refused for ever with both sizes", "[admission]") {
  const auto decision = decide_admission({"new", 10, 0, "", 9}, three(), {});
  CHECK(std::get<Refuse>(decision).for_ever);
  CHECK_THAT(std::get<Refuse>(decision).sentence,
             ContainsSubstring("needs 10 B of memory, more than its own limit of 9 B"));
}

TEST_CASE("a busy model of a group is drained with those that go with it", "[admission]") {
  Snapshot snapshot = snapshot_of(300, {idle("a", 100, 30), idle("b", 100, 20), idle("c", 100, 10)});
  snapshot.models[0].together = snapshot.models[1].together = "rag";
  snapshot.models[0].in_flight = snapshot.models[2].in_flight = 1;
  const auto decision = decide_admission({"new", 150, 0, "", {}}, snapshot, as_ranked({1}));
  CHECK(std::get<DrainFirst>(decision).model_indices == std::vector<std::size_t>{0, 1});
}
