#include "actions/relief.h"

#include "support/catch.h"
#include "support/fake_tasks.h"

using namespace llamavisor;
using namespace llamavisor::test;

namespace {

// Wants what it is told to, when memory is not short.
class Wants : public EvictionPolicy {
 public:
  std::string id() const override { return "wants"; }
  void rank(const Snapshot& snapshot, std::uint64_t, Done done) override {
    std::vector<RankedVictim> all;
    for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
      all.push_back({i, static_cast<double>(i), "the next one"});
    }
    answer = [all, done = std::move(done)] { done(all); };
  }
  [[nodiscard]] bool acts_unasked() const override { return true; }
  void due(const Snapshot& snapshot, Done done) override {
    std::vector<RankedVictim> out;
    for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
      if (wanted.contains(snapshot.models[i].name)) {
        out.push_back({i, 1, "its time is over"});
      }
    }
    done(fails ? Result<std::vector<RankedVictim>>(Error("no idea")) : out);
  }
  std::set<std::string> wanted;
  std::function<void()> answer;  // to the last question
  bool fails = false;
};

struct Fixture {
  boost::asio::io_context io{1};
  ManualClock clock;
  Ledger ledger{clock};
  EventLog events{clock};
  FakeTasks tasks{io, clock};
  std::vector<std::string> reports;
  PolicyEngine engine{[this](const std::string& report) { reports.push_back(report); }};
  Executor executor{io, clock, ledger, tasks, events};
  RelievePressure relief{ledger, engine, executor, [this] { return ledger.snapshot(limit_bytes, nullptr); }};
  std::uint64_t limit_bytes = 1000;
  std::shared_ptr<Wants> policy = std::make_shared<Wants>();
  std::map<std::string, ModelRule> rules;

  Fixture() {
    ledger.set_rules([this](const std::string& name) { return rules[name]; });
    for (const char* name : {"a", "b", "c"}) {
      ledger.lease(ledger.reserve(std::string("sha256:") + name, name, 100, 4096)).answered();
      clock.advance(std::chrono::seconds(1));
    }
    engine.use(policy);
  }
  void run() {
    io.restart();
    io.run();
  }
  std::vector<std::string> resident() {
    std::vector<std::string> out;
    for (const auto& [key, residency] : ledger.all()) {
      out.push_back(residency->name);
    }
    return out;
  }
};
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("what a policy wants to go goes without any need, pins and leases apart", "[relief]") {
  Fixture f;
  f.policy->wanted = {"a", "b", "c"};
  f.rules["b"].pin = true;
  {
    const Lease busy = f.ledger.lease(f.ledger.find("c"));
    f.relief.check_due();
    f.run();
  }
  CHECK(f.resident() == Names{"b", "c"});
  CHECK_THAT(f.events.last(EventKind::eviction)->sentence, ContainsSubstring("its time is over."));
  CHECK(f.reports.size() == 1);  // it was overruled, and that is said once
  f.relief.check_due();
  f.run();
  CHECK(f.resident() == Names{"b"});
}

TEST_CASE("of models that go together none goes before all are due", "[relief]") {
  Fixture f;
  f.rules["a"].together = f.rules["b"].together = "rag";
  f.policy->wanted = {"a"};
  f.relief.check_due();
  f.run();
  CHECK(f.resident() == Names{"a", "b", "c"});
  f.policy->wanted = {"a", "b"};
  f.relief.check_due();
  f.run();
  CHECK(f.resident() == Names{"c"});
}

TEST_CASE("a policy that fails each time is reported once, until it says something else", "[relief]") {
  Fixture f;
  f.policy->fails = true;
  for (int i = 0; i < 5; ++i) {
    f.relief.check_due();
  }
  CHECK(f.reports.size() == 1);
  CHECK(f.resident().size() == 3);
}

TEST_CASE("a check unloads models that break the owner's rules", "[relief]") {
  Fixture f;
  f.engine.use(std::shared_ptr<EvictionPolicy>());
  f.rules["a"].exclusive = f.rules["c"].exclusive = "big";
  f.rules["b"].limit_bytes = 99;
  f.relief.configure({0, 100}, std::chrono::seconds(1));
  f.relief.check();
  f.run();
  CHECK(f.resident() == Names{"c"});
}

TEST_CASE("what went while the policy was thinking is not made room for twice", "[relief]") {
  Fixture f;
  f.relief.configure({0, 100}, std::chrono::seconds(1));
  f.limit_bytes = 250;
  f.relief.check();
  f.ledger.remove("sha256:a");
  std::exchange(f.policy->answer, nullptr)();
  f.run();
  CHECK(f.resident() == Names{"b", "c"});
  f.limit_bytes = 150;
  f.relief.check();
  std::exchange(f.policy->answer, nullptr)();
  f.run();
  CHECK(f.resident() == Names{"c"});
}
