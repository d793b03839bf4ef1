#include "policy/admission.h"

#include "policy/fallback.h"
#include "policy/guard.h"
#include "support/catch.h"
#include "support/snapshots.h"

using namespace llamavisor;
using namespace llamavisor::test;

namespace {

AdmissionDecision decide(const Snapshot& snapshot, std::uint64_t need, std::uint64_t min_available = 0) {
  return decide_admission({"new:latest", need, min_available}, snapshot, rank_lru(snapshot));
}

std::vector<std::string> victims_of(const AdmissionDecision& decision, const Snapshot& snapshot) {
  std::vector<std::string> out;
  for (const RankedVictim& victim : std::get<EvictFirst>(decision).victims) {
    out.push_back(snapshot.models[victim.model_index].name);
  }
  return out;
}

}  // namespace

TEST_CASE("a load that fits is admitted", "[admission]") {
  const Snapshot snapshot = snapshot_of(1000, {idle("a", 400, 60)});
  REQUIRE(std::holds_alternative<Admit>(decide(snapshot, 600)));
}

TEST_CASE("the least recently used idle model makes room, and only it", "[admission]") {
  const Snapshot snapshot = snapshot_of(1000, {idle("a", 400, 10), idle("b", 400, 60), idle("c", 100, 30)});
  REQUIRE(victims_of(decide(snapshot, 400), snapshot) == std::vector<std::string>{"b"});
}

TEST_CASE("a small old model is spared when the larger next one has to go anyway", "[admission]") {
  const Snapshot snapshot = snapshot_of(1000, {idle("small", 100, 90), idle("large", 800, 60)});
  REQUIRE(victims_of(decide(snapshot, 850), snapshot) == std::vector<std::string>{"large"});
}

TEST_CASE("what can never fit is refused for ever with both sizes", "[admission]") {
  const Snapshot snapshot = snapshot_of(1000, {idle("a", 400, 10)});
  const auto decision = decide(snapshot, 1001);
  const auto& refusal = std::get<Refuse>(decision);
  REQUIRE(refusal.for_ever);
  REQUIRE_THAT(refusal.sentence, ContainsSubstring("1001 B"));
  REQUIRE_THAT(refusal.sentence, ContainsSubstring("1000 B"));
}

TEST_CASE("pins that hold the rest make a refusal that names them", "[admission]") {
  Snapshot snapshot = snapshot_of(1000, {idle("a", 400, 10), idle("b", 400, 20)});
  snapshot.models[0].pinned = snapshot.models[1].pinned = true;
  const auto decision = decide(snapshot, 300);
  const auto& refusal = std::get<Refuse>(decision);
  REQUIRE(refusal.for_ever);
  REQUIRE_THAT(refusal.sentence, ContainsSubstring("pinned a (400 B), pinned b (400 B)"));
}

TEST_CASE("a busy model is drained only when no idle one suffices", "[admission]") {
  Snapshot snapshot = snapshot_of(1000, {idle("a", 300, 10), idle("b", 600, 20)});
  snapshot.models[1].in_flight = 1;
  REQUIRE(victims_of(decide(snapshot, 200), snapshot) == std::vector<std::string>{"a"});
  const auto decision = decide(snapshot, 600);
  REQUIRE(std::get<DrainFirst>(decision).model_indices == std::vector<std::size_t>{1});
}

TEST_CASE("room that is already on its way is waited for", "[admission]") {
  Snapshot snapshot = snapshot_of(1000, {idle("a", 900, 10)});
  snapshot.models[0].state = ResidencyState::unloading;
  const auto decision = decide(snapshot, 500);
  REQUIRE(std::get<DrainFirst>(decision).model_indices.empty());
}

TEST_CASE("a host that is short of memory narrows the room below the budget", "[admission]") {
  Snapshot snapshot = snapshot_of(1000, {idle("a", 300, 10)});
  snapshot.models[0].footprint_bytes = 300;
  snapshot.available_bytes = 150;
  REQUIRE(std::holds_alternative<Admit>(decide(snapshot, 100, 50)));
  REQUIRE(victims_of(decide(snapshot, 101, 50), snapshot) == std::vector<std::string>{"a"});
  snapshot.models.clear();
  snapshot.used_bytes = 0;
  const auto refused = decide(snapshot, 101, 50);
  REQUIRE_FALSE(std::get<Refuse>(refused).for_ever);
}

TEST_CASE("bytes that a load has reserved but does not hold yet are not given twice", "[admission]") {
  Snapshot snapshot = snapshot_of(10'000, {idle("a", 300, 10)});
  snapshot.models[0].state = ResidencyState::loading;
  snapshot.models[0].in_flight = 1;
  snapshot.available_bytes = 500;
  REQUIRE(std::holds_alternative<Admit>(decide(snapshot, 200)));
  REQUIRE(std::holds_alternative<DrainFirst>(decide(snapshot, 201)));
}

TEST_CASE("the guard refuses what no policy may do", "[guard]") {
  Snapshot snapshot = snapshot_of(1000, {idle("a", 1, 1), idle("b", 1, 1), idle("c", 1, 1), idle("d", 1, 1)});
  snapshot.models[1].pinned = true;
  snapshot.models[2].in_flight = 2;
  const Guarded out = guard(snapshot, {{0, 1, "ok"},
                                       {0, 1, "twice"},
                                       {1, 1, "pinned"},
                                       {2, 1, "busy"},
                                       {3, std::nan(""), "nan"},
                                       {4, 1, "range"}});
  REQUIRE(out.victims.size() == 1);
  REQUIRE(out.vetoes.size() == 5);
  REQUIRE_THAT(out.vetoes[1], ContainsSubstring("pinned"));
}
