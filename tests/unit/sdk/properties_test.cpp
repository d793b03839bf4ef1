// Under every shipped policy, on random snapshots: nobody is touched who must not be, groups hold, and what
// goes is enough and no more.
#include <random>

#include "policy/admission.h"
#include "policy/engine.h"
#include "policy/guard.h"
#include "policy/order.h"
#include "support/catch.h"
#include "unit/sdk/policy_rig.h"

using namespace llamavisor;
using namespace sdk_rig;

namespace {

std::map<std::string, Value> defaults() {
  return {
      {"half_life", std::int64_t{900'000'000'000}},
      {"unmeasured", std::int64_t{10'000'000'000}},
      {"ttl", std::int64_t{600'000'000'000}},
      {"models", std::vector<std::string>{"m1*=never", "m2*=5s"}},
      {"rules", std::vector<std::string>{"priority=..-1 by=gdsf", "model=m3*", "rest by=lfu", "model=m4*"}},
      {"after", std::int64_t{60'000'000'000}},
      {"patience", std::int64_t{60'000'000'000}},
      {"unanswered", std::string("keep")},
      {"kept_file", std::string("/nonexistent/kept")}};
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  bool one_in(int n) { return below(n) == 0; }

 private:
  std::mt19937 engine_;
};

void change_something(World& world, Random& random) {
  const std::string name = "m" + std::to_string(random.below(9)) + ":latest";
  world.pass(std::chrono::seconds(random.below(200)));
  if (random.one_in(5)) {
    world.evict(name);
    return;
  }
  world.use(name, static_cast<std::uint64_t>(1 + random.below(8)),
            std::chrono::seconds(1 + random.below(30)));
  ModelView& model = world.at(name);
  model.in_flight = random.one_in(5) ? 1 : 0;
  model.pinned = random.one_in(8);
  model.state = random.one_in(8) ? ResidencyState::loading : ResidencyState::ready;
  model.priority = random.below(3) - 1;
  model.quick_returns = static_cast<std::uint32_t>(random.below(3));
  model.together = random.one_in(3) ? "t" + std::to_string(random.below(2)) : "";
  if (random.one_in(4)) {
    model.reload.reset();
  }
  world.now.minute_of_day = static_cast<std::uint32_t>(random.below(1440));
}

std::uint64_t bytes_of(const Snapshot& snapshot, const std::vector<RankedVictim>& victims) {
  std::uint64_t sum = 0;
  for (const RankedVictim& victim : victims) {
    sum += snapshot.models[victim.model_index].charge_bytes;
  }
  return sum;
}

bool contains(const std::vector<RankedVictim>& victims, std::size_t index) {
  return std::any_of(victims.begin(), victims.end(),
                     [&](const RankedVictim& victim) { return victim.model_index == index; });
}

// The whole chain of the core, from the plugin's raw answer to the models that go.
std::vector<RankedVictim> victims(const Instance& policy, const World& world, std::uint64_t need_bytes) {
  class Answer final : public EvictionPolicy {
   public:
    explicit Answer(std::vector<RankedVictim> ranked) : ranked_(std::move(ranked)) {}
    std::string id() const override { return "shipped"; }
    void rank(const Snapshot&, std::uint64_t, Done done) override { done(ranked_); }

   private:
    std::vector<RankedVictim> ranked_;
  };
  PolicyEngine engine([](const std::string& report) { FAIL(report); });
  engine.use(std::make_shared<Answer>(world.ranked(policy)));
  std::vector<RankedVictim> out;
  engine.rank(world.now, need_bytes, [&](const auto& ranked) {
    CHECK(order_victims(world.now, ranked).size() == ranked.size());
    out = take_enough(world.now, ranked, need_bytes);
  });
  return out;
}

void check_group(const Snapshot& snapshot, const std::vector<RankedVictim>& taken, std::size_t index) {
  for (const std::size_t member : unit_members(snapshot, index)) {
    CHECK(contains(taken, member));
  }
}

void check_enough_and_no_more(const Snapshot& snapshot, const std::vector<RankedVictim>& taken,
                              std::uint64_t need_bytes) {
  const std::uint64_t freed = bytes_of(snapshot, taken);
  for (const Unit& unit : units_of(snapshot, taken)) {
    CHECK((freed < need_bytes || freed - unit.bytes < need_bytes));  // each unit was needed
  }
  if (freed < need_bytes) {  // then nothing more could go
    for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
      const auto members = unit_members(snapshot, i);
      const bool free = std::all_of(members.begin(), members.end(),
                                    [&](std::size_t m) { return is_evictable(snapshot.models[m]); });
      CHECK((!free || contains(taken, i)));
    }
  }
}

// A model of a lower priority stays only when the others that go suffice without it.
void check_priorities(const Snapshot& snapshot, const std::vector<RankedVictim>& taken,
                      std::uint64_t need_bytes) {
  const std::uint64_t freed = bytes_of(snapshot, taken);
  for (const RankedVictim& victim : taken) {
    const ModelView& gone = snapshot.models[victim.model_index];
    for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
      const ModelView& stays = snapshot.models[i];
      const bool comparable = gone.together.empty() && stays.together.empty() && is_evictable(stays);
      if (comparable && !contains(taken, i) && stays.priority < gone.priority) {
        CHECK(freed >= need_bytes);  // it was spared only because the others suffice
      }
    }
  }
}

}  // namespace

TEST_CASE("under every policy pins, leases, groups and the need hold on random snapshots", "[property]") {
  const std::string name = GENERATE("lru", "lfu", "largest", "gdsf", "idle_ttl", "ask", "composite");
  const Instance policy(shipped(name), defaults());
  REQUIRE(policy.made.text.empty());
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    World world;
    for (int step = 0; step < 60; ++step) {
      change_something(world, random);
      const auto need_bytes = static_cast<std::uint64_t>(1 + random.below(20)) * kGiB;
      const auto taken = victims(policy, world, need_bytes);
      for (const RankedVictim& victim : taken) {
        CHECK(is_evictable(world.now.models.at(victim.model_index)));
        CHECK_FALSE(victim.reason.empty());
        check_group(world.now, taken, victim.model_index);
      }
      check_enough_and_no_more(world.now, taken, need_bytes);
      check_priorities(world.now, taken, need_bytes);
    }
  }
}

TEST_CASE("a load never ends up beside what it excludes", "[property]") {
  const Instance policy(shipped("gdsf"), defaults());
  for (unsigned seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    World world;
    for (int step = 0; step < 20; ++step) {
      change_something(world, random);
    }
    for (ModelView& model : world.now.models) {
      model.exclusive = random.one_in(3) ? "x" : "";
    }
    const auto decision = decide_admission({"new", kGiB, 0, "x", {}}, world.now, world.ranked(policy));
    for (std::size_t i = 0; i < world.now.models.size(); ++i) {
      if (world.now.models[i].exclusive == "x") {
        CHECK_FALSE(std::holds_alternative<Admit>(decision));
        const auto* evict = std::get_if<EvictFirst>(&decision);
        CHECK((evict == nullptr || contains(evict->victims, i)));
      }
    }
  }
}
