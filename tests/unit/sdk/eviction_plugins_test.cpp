// lru and largest, as built, through the C tables.
#include "support/catch.h"
#include "unit/sdk/plugin_rig.h"

using namespace sdk_rig;
using Names = std::vector<std::string>;

TEST_CASE("lru ranks every idle model by its idle time") {
  const Instance lru(shipped("lru"));
  const std::vector<llv_model> models{model("a", kGiB, 5), model("b", kGiB, 720), model("c", kGiB, 60)};
  const Ranking ranking = rank(lru, models);
  CHECK(ranking.code == LLV_OK);
  CHECK(ranking.names(models) == Names{"b", "c", "a"});
  CHECK(ranking.all.at(1).score == 720);
  CHECK(ranking.all.at(1).reason == "least recently used: idle for 12 min");
}

TEST_CASE("no shipped policy ranks a busy, pinned or settling model") {
  std::vector<llv_model> models{model("busy", 9 * kGiB, 900), model("pinned", 9 * kGiB, 900),
                                model("settling", 9 * kGiB, 900), model("idle", kGiB, 1)};
  models[0].in_flight = 1;
  models[1].flags = LLV_MODEL_IS_PINNED;
  models[2].flags = LLV_MODEL_IS_SETTLING;
  for (const char* name : {"lru", "largest"}) {
    CHECK(rank(Instance(shipped(name)), models).names(models) == Names{"idle"});
  }
}

TEST_CASE("lru counts from the load when no use was seen, and puts the wholly unknown last") {
  std::vector<llv_model> models{model("unknown", kGiB, 0), model("loaded", kGiB, 0), model("used", kGiB, 30)};
  models[0].known &= ~LLV_MODEL_HAS_LAST_USED;
  models[0].last_used_ns = 0;  // would be idle for ages if it were believed
  models[1].known = LLV_MODEL_HAS_LOADED;
  models[1].loaded_ns = kNow - 90 * kSecond;
  const Ranking ranking = rank(Instance(shipped("lru")), models);
  CHECK(ranking.names(models) == Names{"loaded", "used", "unknown"});
  CHECK(ranking.all.at(0).reason == "its last use is unknown");
  CHECK(ranking.all.at(1).reason == "not used since it was loaded 1 min 30 s ago");
}

TEST_CASE("a use that is later than the snapshot counts as just now") {
  std::vector<llv_model> models{model("ahead", kGiB, 0)};
  models[0].last_used_ns = kNow + kSecond;
  CHECK(rank(Instance(shipped("lru")), models).all.at(0).score == 0);
}

TEST_CASE("largest ranks by size, then by idle time, and the unknown last") {
  std::vector<llv_model> models{model("small", kGiB, 900), model("fresh", 3 * kGiB, 1),
                                model("stale", 3 * kGiB, 600), model("unknown", 9 * kGiB, 900)};
  models[3].known &= ~LLV_MODEL_HAS_SIZE;
  const Ranking ranking = rank(Instance(shipped("largest")), models);
  CHECK(ranking.names(models) == Names{"stale", "fresh", "small", "unknown"});
  CHECK(ranking.all.at(1).reason == "largest: gives back 3 GB");
}

TEST_CASE("a plugin walks the models of a newer host by their stride") {
  struct Newer {
    llv_model model;
    std::uint64_t appended[3];
  };
  std::vector<Newer> newer{{model("a", kGiB, 5), {~0ULL, ~0ULL, ~0ULL}}, {model("b", kGiB, 50), {1, 2, 3}}};
  const Ranking ranking =
      rank(Instance(shipped("lru")), snapshot_of(newer.data(), newer.size(), sizeof(Newer)));
  REQUIRE(ranking.all.size() == 2);
  CHECK(ranking.all[0].score == 5);
  CHECK(ranking.all[1].score == 50);
}

TEST_CASE("a policy of today runs on a host of 1.0, whose models end earlier") {
  constexpr std::size_t kOld = offsetof(llv_model, total_uses);
  for (const char* name : {"lru", "lfu", "largest", "gdsf", "idle_ttl", "composite"}) {
    std::vector<char> old(2 * kOld);  // a sanitizer sees a read beyond it
    std::vector<llv_model> whole{model("a", kGiB, 50), model("b", 2 * kGiB, 700)};
    for (llv_model& one : whole) {
      one.known |= LLV_MODEL_HAS_USE_COUNT;
      one.use_count = one.size_bytes == kGiB ? 5 : 1;
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::memcpy(&old[i * kOld], &whole[i], kOld);
    }
    const Instance policy(shipped(name), {{"half_life", std::int64_t{900'000'000'000}},
                                          {"unmeasured", std::int64_t{10'000'000'000}},
                                          {"ttl", std::int64_t{600'000'000'000}},
                                          {"models", std::vector<std::string>{}},
                                          {"rules", std::vector<std::string>{"hours=0-24"}}});
    const Ranking ranking = rank(policy, snapshot_of(old.data(), 2, kOld));
    CHECK(ranking.code == LLV_OK);
    CHECK(ranking.names(whole) == Names{"b", "a"});
  }
}

TEST_CASE("an empty snapshot gives an empty ranking") {
  CHECK(rank(Instance(shipped("lru")), std::vector<llv_model>{}).all.empty());
}
