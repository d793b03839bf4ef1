// The C++ wrapper and the C ABI, seen from a host: what a plugin gets, and what comes back.
#include <atomic>
#include <thread>

#include "support/catch.h"
#include "unit/sdk/plugin_rig.h"

using namespace sdk_rig;

namespace {

std::map<std::string, Value> mode(const std::string& name) {
  return {{"mode", name}};
}

Ranking ranking_in(const std::string& name) {
  return rank(Instance(test_plugin("probe"), mode(name)), {model("a", kGiB, 1)});
}

}  // namespace

TEST_CASE("each configuration getter gives the value of its type") {
  const Instance probe(test_plugin("probe"), {{"mode", "echo"},
                                              {"integer", std::int64_t{-3}},
                                              {"number", 0.25},
                                              {"flag", std::int64_t{1}},
                                              {"duration", std::int64_t{90'000'000'000}},
                                              {"bytes", static_cast<std::int64_t>(6 * kGiB)},
                                              {"list", std::vector<std::string>{"one", "", "three"}}});
  REQUIRE(probe.made.code == LLV_OK);
  CHECK(probe.host.log == std::vector<std::string>{"-3 0.250000 yes 1 min 30 s 6 GB", "one", "", "three"});
}

TEST_CASE("a getter without a value, or of another type, fails create() with the key's name") {
  const Answer missing = Instance(test_plugin("probe")).made;
  CHECK(missing.code == LLV_E_INVALID);
  CHECK(missing.text == "key mode: no value");
  const Answer wrong = Instance(test_plugin("probe"), mode("wrong getter")).made;
  CHECK(wrong.code == LLV_E_INVALID);
  CHECK(wrong.text == "key mode: another type");
}

TEST_CASE("the key table says what the macro was given") {
  const llv_plugin& probe = test_plugin("probe");
  REQUIRE(probe.key_count == 7);
  CHECK(probe.key_stride == sizeof(llv_key));
  CHECK(std::string(probe.keys[1].name) == "integer");
  CHECK(probe.keys[1].type == LLV_KEY_I64);
  CHECK(probe.keys[1].min == -5);
  CHECK(probe.keys[1].max == 5);
  CHECK(probe.get_role(LLV_ROLE_EVICTION) != nullptr);
  CHECK(probe.get_role(LLV_ROLE_NOTIFY) == nullptr);
}

TEST_CASE("what a plugin throws becomes a code and a text") {
  const Answer constructor = Instance(test_plugin("probe"), mode("throw in constructor")).made;
  CHECK(constructor.code == LLV_E_INVALID);
  CHECK(constructor.text == "no probe today");
  CHECK(ranking_in("throw").code == LLV_E_FAILED);
  CHECK(ranking_in("throw").text == "the probe failed");
  CHECK(ranking_in("throw a code").code == LLV_E_TIMEOUT);
  CHECK(ranking_in("throw a number").code == LLV_E_FAILED);
  CHECK_THAT(ranking_in("throw a number").text, ContainsSubstring("plugin misbehaved"));
}

TEST_CASE("an instance works on after it threw") {
  const Instance probe(test_plugin("probe"), mode("throw"));
  FakeConfig config;
  config.values = mode("");
  Text error;
  CHECK(rank(probe, {model("a", kGiB, 1)}).code == LLV_E_FAILED);
  REQUIRE(probe.plugin().reconfigure(probe.self(), &config.table, error.get()) == LLV_OK);
  CHECK(rank(probe, {model("a", kGiB, 1)}).code == LLV_OK);
}

TEST_CASE("text that is too long is cut at a character") {
  const std::string text = ranking_in("long text").text;
  CHECK(text == std::string(510, 'x'));  // a euro sign has three bytes, and two were left
}

TEST_CASE("a policy sees what is known and nothing else") {
  llv_model full = model("full", 7, 3);
  full.known = ~0ULL;  // a newer host knows more
  full.flags = LLV_MODEL_IS_PINNED | LLV_MODEL_IS_SETTLING | 0x80000000U;
  full.rss_bytes = 6;
  full.vram_bytes = 5;
  full.loaded_ns = kNow - 60 * kSecond;
  full.in_flight = 2;
  full.context_length = 4096;
  full.use_count = 11;
  full.load_duration_ns = 4 * kSecond;
  llv_model bare = full;
  bare.known = 0;
  const std::vector<llv_model> models{full, bare};
  llv_snapshot snapshot = snapshot_of(models.data(), models.size(), sizeof(llv_model));
  snapshot.limit_bytes = 100;
  snapshot.available_bytes = 50;
  snapshot.psi_full_avg10 = 1.5;
  snapshot.known = LLV_SNAPSHOT_HAS_LIMIT | LLV_SNAPSHOT_HAS_PSI_FULL;
  const Ranking ranking = rank(Instance(test_plugin("probe"), mode("")), snapshot);
  REQUIRE(ranking.all.size() == 2);
  CHECK(ranking.all[0].reason ==
        "full size=7 rss=6 vram=5 idle=3 s resident=1 min in_flight=2 context=4096 uses=11 load=4 s "
        "limit=100 full=1.500000 pinned settling");
  CHECK(ranking.all[1].reason == "full limit=100 full=1.500000");
  CHECK(ranking.all[0].score == static_cast<double>(kGiB));
}

TEST_CASE("saved state reaches the successor, and a small buffer is told how much is needed") {
  const Instance probe(test_plugin("probe"), mode("old"));
  Text saved;
  REQUIRE(probe.plugin().save(probe.self(), saved.get()) == LLV_OK);
  CHECK(saved.str() == "mode=old");
  Text small(4);
  CHECK(probe.plugin().save(probe.self(), small.get()) == LLV_E_TOO_SMALL);
  CHECK(small.length() == 8);
  Instance next(test_plugin("probe"), mode("new"));
  Text error;
  const std::string state = saved.str();
  REQUIRE(next.plugin().restore(next.self(), str_of(state), error.get()) == LLV_OK);
  CHECK(next.host.log == std::vector<std::string>{"restored mode=old"});
}

TEST_CASE("a plugin may ask for a new instance instead of new values") {
  const Instance probe(test_plugin("probe"), mode(""));
  FakeConfig config;
  config.values = mode("needs restart");
  Text error;
  CHECK(probe.plugin().reconfigure(probe.self(), &config.table, error.get()) == LLV_E_NEEDS_RESTART);
}

TEST_CASE("members that a class does not have are null in its table") {
  CHECK(shipped("lru").reconfigure == nullptr);
  CHECK(shipped("lru").save == nullptr);
  CHECK(shipped("lru").restore == nullptr);
}

TEST_CASE("a host that lets two calls overlap is told so") {
  struct Shared {
    std::atomic<bool> inside{false};
    std::atomic<bool> leave{false};
  } shared;
  Instance probe(test_plugin("probe"), mode("wait"));
  // The probe stays in rank() until this clock says 0.
  probe.host.table.ctx = &shared;
  probe.host.table.now_ns = [](void* ctx) -> std::uint64_t {
    static_cast<Shared*>(ctx)->inside = true;
    return static_cast<Shared*>(ctx)->leave ? 0 : 1;
  };
  Ranking first;
  std::thread caller([&] { first = rank(probe, {model("a", kGiB, 1)}); });
  while (!shared.inside) {
    std::this_thread::yield();
  }
  const Ranking second = rank(probe, {model("a", kGiB, 1)});
  shared.leave = true;
  caller.join();
  CHECK(first.code == LLV_OK);
  CHECK(second.code == LLV_E_FAILED);
  CHECK_THAT(second.text, ContainsSubstring("host misbehaved"));
}

TEST_CASE("a plugin in plain C works like any other") {
  const Instance minimal(test_plugin("minimal"));
  const std::vector<llv_model> models{model("a", kGiB, 1), model("b", kGiB, 2)};
  CHECK(rank(minimal, models).names(models) == std::vector<std::string>{"a", "b"});
}
