#include "ledger/ledger.h"

#include "ledger/reconcile.h"
#include "support/catch.h"

using namespace llamavisor;

namespace {

struct Fixture {
  ManualClock clock;
  Ledger ledger{clock};
  std::shared_ptr<Residency> load(const std::string& name, std::uint64_t bytes) {
    auto residency = ledger.reserve("sha256:" + name, name, bytes, 4096);
    ledger.lease(residency).answered();
    clock.advance(std::chrono::seconds(1));
    return residency;
  }
  std::vector<std::string> look(Observation seen) {
    clock.advance(std::chrono::seconds(1));
    return reconcile(ledger, seen, clock.now());
  }
};

RunnerSample runner(const std::string& name, std::uint64_t footprint_bytes) {
  RunnerSample out;
  out.pid = 42;
  out.start_ticks = 7;
  out.blob_digest = "sha256:" + name;
  out.footprint_bytes = footprint_bytes;
  return out;
}

}  // namespace

TEST_CASE("a lease makes a model busy until it ends, and its end is the last use", "[ledger]") {
  Fixture f;
  const auto a = f.load("a", 100);
  {
    Lease lease = f.ledger.lease(a);
    REQUIRE(a->in_flight == 1);
    f.clock.advance(std::chrono::seconds(5));
  }
  REQUIRE(a->in_flight == 0);
  REQUIRE(a->last_used == f.clock.now());
}

TEST_CASE("a moved lease ends once", "[ledger]") {
  Fixture f;
  const auto a = f.load("a", 100);
  Lease first = f.ledger.lease(a);
  Lease second = std::move(first);
  first.release();
  REQUIRE(a->in_flight == 1);
  second.release();
  REQUIRE(a->in_flight == 0);
}

TEST_CASE("a use is told at its end: when it began, whether it loaded the model, what the answer said",
          "[ledger]") {
  Fixture f;
  std::vector<Use> uses;
  f.ledger.on_used([&](const Residency& residency, const Use& use) {
    CHECK(residency.in_flight == 0);
    uses.push_back(use);
  });
  const auto a = f.load("a", 100);
  const SteadyTime began = f.clock.now();
  {
    Lease lease = f.ledger.lease(a);
    f.clock.advance(std::chrono::seconds(5));
    lease.answered();
    lease.note({7U, 9U, std::nullopt});
    const Lease moved = std::move(lease);
  }
  f.ledger.lease(a).release();
  REQUIRE(uses.size() == 3);
  CHECK(uses[0].loaded);
  CHECK((uses[1].answered && !uses[1].loaded));
  CHECK(uses[1].began == began);
  CHECK(uses[1].facts.prompt_tokens == 7U);
  CHECK(uses[1].facts.answer_tokens == 9U);
  CHECK_FALSE(uses[2].answered);
}

TEST_CASE("the charge is the larger of forecast and footprint", "[ledger]") {
  Fixture f;
  f.load("a", 100);
  f.look({.sample = {.runners = {runner("a", 80)}}, .loaded = std::nullopt, .name_of_blob = {}});
  REQUIRE(f.ledger.used_bytes() == 100);
  f.look({.sample = {.runners = {runner("a", 130)}}, .loaded = std::nullopt, .name_of_blob = {}});
  REQUIRE(f.ledger.used_bytes() == 130);
}

TEST_CASE("a load whose only request ended without an answer raises a doubt", "[ledger]") {
  Fixture f;
  bool doubted = false;
  f.ledger.on_doubt([&] { doubted = true; });
  const auto a = f.ledger.reserve("sha256:a", "a", 100, std::nullopt);
  f.ledger.lease(a).release();
  REQUIRE(doubted);
}

TEST_CASE("a model that is neither listed nor running has ended by itself", "[reconcile]") {
  Fixture f;
  f.load("a", 100);
  const auto vanished = f.look({.sample = {}, .loaded = std::vector<ObservedModel>{}, .name_of_blob = {}});
  REQUIRE(vanished == std::vector<std::string>{"a"});
  REQUIRE(f.ledger.find("a") == nullptr);
}

TEST_CASE("a busy model stands whatever a look says", "[reconcile]") {
  Fixture f;
  const auto a = f.load("a", 100);
  const Lease lease = f.ledger.lease(a);
  f.look({.sample = {}, .loaded = std::vector<ObservedModel>{}, .name_of_blob = {}});
  REQUIRE(f.ledger.find("a") == a);
}

TEST_CASE("a load whose client left before its answer is ready once it is seen", "[reconcile]") {
  Fixture f;
  const auto a = f.ledger.reserve("sha256:a", "a", 100, 4096);
  Lease lease = f.ledger.lease(a);
  const Observation seen{
      .sample = {.runners = {runner("a", 90)}}, .loaded = std::nullopt, .name_of_blob = {}};
  f.look(seen);
  REQUIRE(a->state == ResidencyState::loading);  // its client still waits for it
  lease.release();
  f.look(seen);
  REQUIRE(a->state == ResidencyState::ready);
  REQUIRE_FALSE(a->load_duration);  // nobody measured it
}

TEST_CASE("without /api/ps the processes decide", "[reconcile]") {
  Fixture f;
  f.load("a", 100);
  f.load("b", 100);
  f.look({.sample = {.runners = {runner("a", 90)}}, .loaded = std::nullopt, .name_of_blob = {}});
  REQUIRE(f.ledger.find("a"));
  REQUIRE_FALSE(f.ledger.find("b"));
}

TEST_CASE("a model loaded behind our back is taken in with its footprint", "[reconcile]") {
  Fixture f;
  f.look({.sample = {.runners = {runner("x", 70)}},
          .loaded = std::nullopt,
          .name_of_blob = {{"sha256:x", "x:latest"}}});
  REQUIRE(f.ledger.find("x:latest"));
  REQUIRE(f.ledger.used_bytes() == 70);
}

TEST_CASE("a look that began before a removal does not bring the model back", "[reconcile]") {
  Fixture f;
  f.load("a", 100);
  const SteadyTime looked_at = f.clock.now();
  f.clock.advance(std::chrono::seconds(1));
  f.ledger.remove("sha256:a");
  reconcile(f.ledger, {.sample = {.runners = {runner("a", 90)}}, .loaded = std::nullopt, .name_of_blob = {}},
            looked_at);
  REQUIRE(f.ledger.all().empty());
}

TEST_CASE("a load soon after an eviction is a quick return, and is forgotten after the window", "[ledger]") {
  Fixture f;
  f.ledger.set_thrash_window(std::chrono::minutes(10));
  const auto evict_and_return = [&f](std::chrono::seconds pause) {
    f.ledger.note_evicted(*f.ledger.find("a"));
    f.ledger.remove("sha256:a");
    f.clock.advance(pause);
    f.load("a", 100);
    return f.ledger.snapshot(1000, nullptr).models.at(0);
  };
  f.load("a", 100);
  REQUIRE(f.ledger.snapshot(1000, nullptr).models.at(0).quick_returns == 0);
  REQUIRE(evict_and_return(std::chrono::seconds(40)).quick_returns == 1);
  REQUIRE(f.ledger.snapshot(1000, nullptr).models.at(0).returned_after == std::chrono::seconds(40));
  REQUIRE(evict_and_return(std::chrono::seconds(50)).quick_returns == 2);
  f.clock.advance(std::chrono::minutes(10));
  REQUIRE(f.ledger.snapshot(1000, nullptr).models.at(0).quick_returns == 0);
  REQUIRE(evict_and_return(std::chrono::minutes(11)).quick_returns == 0);
  f.ledger.remove("sha256:a");  // it went by itself: no eviction
  f.load("a", 100);
  REQUIRE(f.ledger.snapshot(1000, nullptr).models.at(0).quick_returns == 0);
  f.ledger.set_thrash_window(std::chrono::milliseconds(0));
  REQUIRE(evict_and_return(std::chrono::seconds(0)).quick_returns == 0);
}

TEST_CASE("uses and measured loads are kept over residencies", "[ledger]") {
  Fixture f;
  const auto load_in = [&f](std::chrono::seconds time) {
    const auto residency = f.ledger.reserve("sha256:a", "a", 100, 4096);
    Lease lease = f.ledger.lease(residency);
    f.clock.advance(time);
    lease.answered();
  };
  load_in(std::chrono::seconds(8));
  f.ledger.remove("sha256:a");
  load_in(std::chrono::seconds(4));
  const ModelView a = f.ledger.snapshot(1000, nullptr).models.at(0);
  REQUIRE(a.total_uses == 2);
  REQUIRE(a.use_count == 1);
  REQUIRE(a.reload == std::chrono::seconds(6));
  REQUIRE(a.load_duration == std::chrono::seconds(4));
}

TEST_CASE("the owner's rules are in the snapshot, and models that go together are pinned together",
          "[ledger]") {
  Fixture f;
  f.ledger.set_rules([](const std::string& name) {
    return ModelRule{.glob = name, .pin = name == "a", .priority = 3, .together = name == "c" ? "" : "rag"};
  });
  for (const char* name : {"a", "b", "c"}) {
    f.load(name, 100);
  }
  const Snapshot snapshot = f.ledger.snapshot(1000, nullptr);
  REQUIRE(snapshot.models.at(0).pinned);
  REQUIRE(snapshot.models.at(1).pinned);
  REQUIRE_FALSE(snapshot.models.at(2).pinned);
  REQUIRE(snapshot.models.at(1).priority == 3);
  REQUIRE(snapshot.minute_of_day);
}
