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
  ReconcileChanges look(Observation seen) {
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
  const auto changes = f.look({.sample = {}, .loaded = std::vector<ObservedModel>{}, .name_of_blob = {}});
  REQUIRE(changes.vanished == std::vector<std::string>{"a"});
  REQUIRE(f.ledger.find("a") == nullptr);
}

TEST_CASE("a busy model stands whatever a look says", "[reconcile]") {
  Fixture f;
  const auto a = f.load("a", 100);
  const Lease lease = f.ledger.lease(a);
  f.look({.sample = {}, .loaded = std::vector<ObservedModel>{}, .name_of_blob = {}});
  REQUIRE(f.ledger.find("a") == a);
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
  const auto changes = f.look({.sample = {.runners = {runner("x", 70)}},
                               .loaded = std::nullopt,
                               .name_of_blob = {{"sha256:x", "x:latest"}}});
  REQUIRE(changes.appeared == std::vector<std::string>{"x:latest"});
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
