// lfu, gdsf, idle_ttl and composite, as built, on examples worked by hand.
#include "support/catch.h"
#include "unit/sdk/policy_rig.h"

using namespace sdk_rig;
using Names = std::vector<std::string>;

namespace {

constexpr std::int64_t kHourNs = 3'600'000'000'000;

std::map<std::string, Value> half_life(std::int64_t ns) {
  return {{"half_life", ns}, {"unmeasured", std::int64_t{10'000'000'000}}};
}
std::map<std::string, Value> rules(std::vector<std::string> texts) {
  auto out = half_life(kHourNs);
  out["rules"] = std::move(texts);
  return out;
}
std::map<std::string, Value> ttl(std::int64_t ns, std::vector<std::string> models = {}) {
  return {{"ttl", ns}, {"models", std::move(models)}};
}

}  // namespace

TEST_CASE("lfu halves a use each half-life") {
  const Instance lfu(shipped("lfu"), half_life(kHourNs));
  World world;
  for (int i = 0; i < 3; ++i) {  // seen after each: 1, then 1/2 + 1, then 3/4 + 1
    world.use("often");
    world.order(lfu);
    world.pass(1h);
  }
  world.use("new");
  // often: 1.75 an hour ago, so 0.875 now; new: 1
  CHECK(world.order(lfu) == Names{"often", "new"});
  CHECK(world.ranked(lfu).at(0).score == Approx(-0.875));
  CHECK(world.ranked(lfu).at(0).reason == "least frequently used: 0.88 uses, aged by half each 1 h");
}

TEST_CASE("lfu remembers a model's uses over an eviction, and lru would not") {
  const Instance lfu(shipped("lfu"), half_life(kHourNs));
  World world;
  for (int i = 0; i < 8; ++i) {
    world.use("often");
  }
  world.use("once");
  world.order(lfu);
  world.evict("often");
  world.order(lfu);
  world.use("often");
  world.pass(1min);
  world.use("once");
  CHECK(world.order(lfu) == Names{"once", "often"});
  CHECK(world.order(Instance(shipped("lru"))) == Names{"often", "once"});
}

TEST_CASE("uses that lfu did not see one by one count as if they were spread evenly") {
  const Instance lfu(shipped("lfu"), half_life(kHourNs));
  World world;
  world.use("a");
  world.pass(1h);
  world.at("a").total_uses = 4;  // three more within the hour, the last one now
  world.at("a").last_used = world.now.now;
  world.now.models.front().loaded = world.now.now - std::chrono::hours(1);
  // loaded an hour ago, 4 uses: the last is 1, three spread over one half-life: 3 * (1 - 1/2) / ln 2
  CHECK(world.ranked(lfu).at(0).score == Approx(-(1 + 3 * 0.5 / std::log(2.0))));
}

TEST_CASE("gdsf lets go what is worth least per byte, by measured reload seconds") {
  const Instance gdsf(shipped("gdsf"), half_life(kHourNs));
  World world;
  world.use("large", 8, 8s);  // 1 use * 8 s / 8 GiB = 1
  world.use("slow", 4, 40s);  // 10
  world.use("small", 1, 2s);  // 2
  CHECK(world.order(gdsf) == Names{"large", "small", "slow"});
  CHECK(world.ranked(gdsf).at(0).score == Approx(-1));
  CHECK(world.ranked(gdsf).at(2).score == Approx(-10));
  CHECK(world.ranked(gdsf).at(0).reason ==
        "cheapest to do without: 1.00 aged uses, back in 8 s, gives back 8 GB");
}

TEST_CASE("gdsf raises its floor to what went, so that old worth does not stay for ever") {
  const Instance gdsf(shipped("gdsf"), half_life(1000 * kHourNs));
  World world;
  world.use("a", 1, 5s);  // K = 5
  world.use("b", 1, 2s);  // K = 2
  CHECK(world.order(gdsf) == Names{"b", "a"});
  world.evict("b");
  world.use("c", 1, 2s);  // L = 2, so K = 4
  CHECK(world.ranked(gdsf).at(0).score == Approx(-4));
  world.evict("c");
  world.use("d", 1, 2s);  // L = 4, so K = 6: a, not used since, goes before it
  CHECK(world.order(gdsf) == Names{"a", "d"});
  CHECK(world.ranked(gdsf).at(1).score == Approx(-6));
}

TEST_CASE("a valuable model that went by itself does not devalue the others in gdsf") {
  const Instance gdsf(shipped("gdsf"), half_life(1000 * kHourNs));
  World world;
  world.use("precious", 1, 100s);
  world.use("a", 1, 3s);
  world.order(gdsf);
  world.evict("precious");  // its keep_alive ran out
  world.use("b", 1, 1s);    // the floor is a's 3, not 100
  CHECK(world.ranked(gdsf).at(0).score == Approx(-3));
  CHECK(world.ranked(gdsf).at(1).score == Approx(-4));
}

TEST_CASE("gdsf says so when no load was measured") {
  World world;
  world.use("a", 1);
  world.at("a").reload.reset();
  CHECK_THAT(world.ranked(Instance(shipped("gdsf"), half_life(kHourNs))).at(0).reason,
             ContainsSubstring("back in 10 s (not measured)"));
}

TEST_CASE("idle_ttl lets models go at their time, by the first glob that fits") {
  const Instance policy(shipped("idle_ttl"), ttl(600'000'000'000, {"chat*=1h", "embed*=never"}));
  World world;
  for (const char* name : {"chat:latest", "embed:latest", "other:latest"}) {
    world.use(name);
  }
  world.pass(10min - 1s);
  CHECK(world.due_now(policy).empty());
  world.pass(1s);
  REQUIRE(world.due_now(policy).size() == 1);
  CHECK(world.now.models.at(world.due_now(policy).at(0).model_index).name == "other:latest");
  CHECK(world.due_now(policy).at(0).reason == "idle for 10 min of 10 min");
  CHECK(world.order(policy) == Names{"other:latest", "chat:latest", "embed:latest"});
  world.pass(50min);
  CHECK(world.due_now(policy).size() == 2);
  world.at("other:latest").in_flight = 1;
  world.at("chat:latest").pinned = true;
  CHECK(world.due_now(policy).empty());
}

TEST_CASE("lru and largest never ask for anything when memory is not short") {
  World world;
  world.use("a");
  const llamavisor::SnapshotView view(world.now);
  for (const char* name : {"lru", "lfu", "largest", "gdsf"}) {
    CHECK(due(Instance(shipped(name), half_life(kHourNs)), *view.get()).code == LLV_E_NOT_FOUND);
  }
}

TEST_CASE("composite takes the rules in order, with rest where it is written") {
  const Instance policy(shipped("composite"), rules({"model=batch-* hours=8-18", "priority=..-1",
                                                     "rest by=largest", "model=code*"}));
  World world;
  world.use("code:latest", 9);
  world.use("mid:latest", 2);
  world.use("big:latest", 5);
  world.use("cheap:latest", 1);
  world.at("cheap:latest").priority = -3;
  world.use("batch-1:latest", 1);
  world.now.minute_of_day = 8 * 60;
  CHECK(world.order(policy) ==
        Names{"batch-1:latest", "cheap:latest", "big:latest", "mid:latest", "code:latest"});
  CHECK_THAT(world.ranked(policy).at(0).reason,
             ContainsSubstring("rule \"model=batch-* hours=8-18\": least recently used"));
  world.now.minute_of_day = 18 * 60;  // after hours the batch models are as any other
  CHECK(world.order(policy) ==
        Names{"cheap:latest", "big:latest", "mid:latest", "batch-1:latest", "code:latest"});
  world.now.minute_of_day.reset();  // a condition on what is not known does not hold
  CHECK(world.order(policy).front() == "cheap:latest");
}

TEST_CASE("composite's hours may pass midnight") {
  const Instance policy(shipped("composite"), rules({"model=night* hours=22-6"}));
  World world;
  world.use("day:latest");
  world.pass(1min);
  world.use("night:latest");  // lru alone would keep it
  for (const auto& [hour, first] : {std::pair(21U, "day:latest"), std::pair(22U, "night:latest"),
                                    std::pair(5U, "night:latest"), std::pair(6U, "day:latest")}) {
    world.now.minute_of_day = hour * 60;
    CHECK(world.order(policy).front() == first);
  }
}

TEST_CASE("wrong rules are refused with the rule and the reason") {
  const auto said = [](const char* plugin, std::map<std::string, Value> values) {
    const Instance policy(shipped(plugin), std::move(values));
    CHECK(policy.made.code == LLV_E_INVALID);
    return policy.made.text;
  };
  CHECK(said("composite", rules({"hours=8"})) == "rules: \"hours=8\": \"8\" has no \"-\"");
  CHECK_THAT(said("composite", rules({"hours=8-25"})), ContainsSubstring("two hours of the day"));
  CHECK_THAT(said("composite", rules({"by=random"})),
             ContainsSubstring("by= takes lru, lfu, largest or gdsf"));
  CHECK_THAT(said("composite", rules({"size=3"})), ContainsSubstring("it knows model="));
  CHECK_THAT(said("composite", rules({"priority=a..3"})), ContainsSubstring("\"a\" is not a whole number"));
  CHECK_THAT(said("composite", rules({"rest", "rest"})), ContainsSubstring("written twice"));
  CHECK_THAT(said("idle_ttl", ttl(kHourNs, {"chat*"})), ContainsSubstring("\"chat*\" is not a rule"));
  CHECK_THAT(said("idle_ttl", ttl(kHourNs, {"chat*=soon"})), ContainsSubstring("\"soon\" is not a duration"));
}
