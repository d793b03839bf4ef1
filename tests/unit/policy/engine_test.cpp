#include "policy/engine.h"

#include "policy/pressure.h"
#include "support/catch.h"
#include "support/snapshots.h"

using namespace llamavisor;
using namespace llamavisor::test;

namespace {

// Answers what the test tells it to.
class ScriptedPolicy : public EvictionPolicy {
 public:
  explicit ScriptedPolicy(Result<std::vector<RankedVictim>> answer) : answer_(std::move(answer)) {}
  std::string id() const override { return "scripted"; }
  void rank(const Snapshot&, std::uint64_t, Done done) override { done(answer_); }

 private:
  Result<std::vector<RankedVictim>> answer_;
};

class ScriptedContext : public ContextPolicy {
 public:
  explicit ScriptedContext(Result<ContextChoice> answer) : answer_(std::move(answer)) {}
  std::string id() const override { return "scripted"; }
  void choose(const Snapshot&, const ContextQuestion&, Done done) override { done(answer_); }

 private:
  Result<ContextChoice> answer_;
};

struct Asked {
  std::vector<std::string> reports;
  std::vector<std::size_t> order;
};

Asked ask(std::shared_ptr<EvictionPolicy> policy, const Snapshot& snapshot) {
  Asked out;
  PolicyEngine engine([&](const std::string& report) { out.reports.push_back(report); });
  engine.use(std::move(policy));
  engine.rank(snapshot, 1, [&](const std::vector<RankedVictim>& ranked) {
    for (const auto& victim : ranked) {
      out.order.push_back(victim.model_index);
    }
  });
  return out;
}

const Snapshot kTwo = snapshot_of(1000, {idle("a", 1, 10), idle("b", 1, 20)});

}  // namespace

TEST_CASE("without a plugin the built-in LRU ranks", "[engine]") {
  REQUIRE(ask(nullptr, kTwo).order == std::vector<std::size_t>{1, 0});
}

TEST_CASE("a plugin's order stands", "[engine]") {
  const auto asked =
      ask(std::make_shared<ScriptedPolicy>(std::vector<RankedVictim>{{0, 2, "x"}, {1, 1, "y"}}), kTwo);
  REQUIRE(asked.order == std::vector<std::size_t>{0, 1});
  REQUIRE(asked.reports.empty());
}

TEST_CASE("a failing plugin is reported and the built-in LRU decides", "[engine]") {
  const auto asked = ask(std::make_shared<ScriptedPolicy>(Error("it threw")), kTwo);
  REQUIRE(asked.order == std::vector<std::size_t>{1, 0});
  REQUIRE_THAT(asked.reports.at(0), ContainsSubstring("it threw"));
}

TEST_CASE("models that a plugin leaves out come last, so that the budget holds", "[engine]") {
  const auto asked = ask(std::make_shared<ScriptedPolicy>(std::vector<RankedVictim>{{0, 2, "x"}}), kTwo);
  REQUIRE(asked.order == std::vector<std::size_t>{0, 1});
}

TEST_CASE("a context beyond the model's training is overruled", "[engine]") {
  std::vector<std::string> reports;
  PolicyEngine engine([&](const std::string& report) { reports.push_back(report); });
  engine.use(std::make_shared<ScriptedContext>(ContextChoice{9000, "more is better"}));
  ContextQuestion question;
  question.default_num_ctx = 4096;
  question.model.shape.emplace();
  question.model.shape->context_length = 2048;
  std::uint32_t chosen = 0;
  engine.choose_context(kTwo, question, [&](const ContextChoice& choice) { chosen = choice.num_ctx; });
  REQUIRE(chosen == 2048);
  REQUIRE(reports.size() == 1);
}

TEST_CASE("over the budget asks for the excess", "[pressure]") {
  Pressure pressure;
  const auto relief = pressure.check(snapshot_of(100, {idle("a", 150, 1)}), {});
  REQUIRE(relief);
  REQUIRE(relief->bytes == 50);
}

TEST_CASE("a host short of memory is pressed until it is a quarter above the minimum", "[pressure]") {
  Pressure pressure;
  Snapshot snapshot = snapshot_of(1000, {idle("a", 10, 1)});
  const PressureRule rule{100, 50};
  snapshot.available_bytes = 110;
  REQUIRE_FALSE(pressure.check(snapshot, rule));
  snapshot.available_bytes = 90;
  REQUIRE(pressure.check(snapshot, rule)->bytes == 35);
  snapshot.available_bytes = 110;
  REQUIRE(pressure.check(snapshot, rule));
  snapshot.available_bytes = 125;
  REQUIRE_FALSE(pressure.check(snapshot, rule));
}

TEST_CASE("an unknown MemAvailable is not pressure", "[pressure]") {
  Pressure pressure;
  REQUIRE_FALSE(pressure.check(snapshot_of(1000, {}), {100, 50}));
}
