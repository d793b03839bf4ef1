#include "actions/executor.h"

#include "support/catch.h"
#include "support/fake_tasks.h"

using namespace llamavisor;
using namespace llamavisor::test;

namespace {

struct Fixture {
  boost::asio::io_context io{1};
  ManualClock clock;
  Ledger ledger{clock};
  EventLog events{clock};
  FakeTasks tasks{io, clock};
  Executor executor{io, clock, ledger, tasks, events};

  Fixture() {
    ledger.on_change([this] { executor.poll(); });
  }
  std::shared_ptr<Residency> load(const std::string& name) {
    const auto residency = ledger.reserve("sha256:" + name, name, 100, 4096);
    ledger.lease(residency).answered();
    return residency;
  }
  // The outcome arrives in the returned place.
  std::shared_ptr<std::optional<bool>> unload(const std::shared_ptr<Residency>& residency,
                                              std::chrono::milliseconds drain,
                                              std::function<bool()> wanted = {}) {
    const auto out = std::make_shared<std::optional<bool>>();
    executor.submit({.residency = residency,
                     .why = "a test",
                     .drain_timeout = drain,
                     .wanted = std::move(wanted),
                     .done = [out](const Result<UnloadOutcome>& outcome) { *out = outcome.has_value(); }});
    return out;
  }
  void settle() {
    io.restart();
    while (io.run_one_for(std::chrono::milliseconds(20)) > 0) {
    }
  }
};

}  // namespace

TEST_CASE("a model that drains does not hold up the unload of an idle one", "[executor]") {
  Fixture f;
  const auto a = f.load("a");
  const auto b = f.load("b");
  Lease busy = f.ledger.lease(a);
  const auto a_gone = f.unload(a, std::chrono::hours(1));
  const auto b_gone = f.unload(b, std::chrono::milliseconds(0));
  f.settle();
  REQUIRE(*b_gone == true);
  REQUIRE_FALSE(a_gone->has_value());
  busy.release();
  f.settle();
  REQUIRE(*a_gone == true);
  REQUIRE(f.tasks.unloaded == std::vector<std::string>{"b", "a"});
}

TEST_CASE("a model that went by itself fulfils its order without an event", "[executor]") {
  Fixture f;
  const auto a = f.load("a");
  Lease busy = f.ledger.lease(a);
  const auto gone = f.unload(a, std::chrono::hours(1));
  f.ledger.remove("sha256:a");
  f.settle();
  REQUIRE(*gone == true);
  REQUIRE_FALSE(f.events.last(EventKind::eviction));
}

TEST_CASE("at the drain bound a busy model's gate opens again", "[executor]") {
  Fixture f;
  const auto a = f.load("a");
  const Lease busy = f.ledger.lease(a);
  const auto gone = f.unload(a, std::chrono::seconds(5));
  REQUIRE_FALSE(a->gate_open());
  f.clock.advance(std::chrono::seconds(5));
  f.executor.poll();
  f.settle();
  REQUIRE(*gone == false);
  REQUIRE(a->state == ResidencyState::ready);
  REQUIRE(f.tasks.unloaded.empty());
}

TEST_CASE("of two orders for one model the wanted one is carried out", "[executor]") {
  Fixture f;
  const auto a = f.load("a");
  bool wanted = true;
  Lease busy = f.ledger.lease(a);
  const auto first = f.unload(a, std::chrono::hours(1), [&] { return wanted; });
  const auto second = f.unload(a, std::chrono::hours(1));
  wanted = false;
  f.executor.poll();
  REQUIRE_FALSE(a->gate_open());
  busy.release();
  f.settle();
  REQUIRE(*first == false);
  REQUIRE(*second == true);
  REQUIRE(f.tasks.unloaded.size() == 1);
}

TEST_CASE("while a request runs whose model is unknown no runner is ended", "[executor]") {
  Fixture f;
  const auto a = f.load("a");
  auto guest = f.ledger.guest();
  f.unload(a, std::chrono::milliseconds(0));
  REQUIRE_FALSE(f.tasks.may_end_runner);
  f.settle();
  guest.reset();
  f.unload(f.load("b"), std::chrono::milliseconds(0));
  REQUIRE(f.tasks.may_end_runner);
}
