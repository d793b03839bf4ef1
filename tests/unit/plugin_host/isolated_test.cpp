// Good plugins isolated: the answers are those of the same plugin in this process, in every role.
#include "unit/plugin_host/host_rig.h"

using namespace llamavisor;
using testing::Values;

namespace {

const std::string kTestPlugins = LLV_PLUGIN_DIR "/../test_plugins";

class Rig : public testing::HostRig {
 public:
  explicit Rig(Values values)
      : HostRig({kTestPlugins, LLV_PLUGIN_DIR}, {{"frozen_then", std::move(values)}}) {}
};

Values frozen(bool isolated, const std::string& grace = "45s") {
  return {{"grace", grace}, {"isolate", isolated}};
}

std::vector<std::string> ranking(Rig& rig, EvictionPolicy& policy) {
  const auto ranked = rig.rank(policy, rig.machine(), 50);
  REQUIRE(ranked);
  std::vector<std::string> out;
  for (const RankedVictim& victim : *ranked) {
    out.push_back(std::to_string(victim.model_index) + " " + victim.reason);
  }
  return out;
}

}  // namespace

TEST_CASE("an isolated plugin ranks as it does in this process, its values and refusals too") {
  Rig here(frozen(false));
  Rig apart(frozen(true));
  const auto policy = here.eviction("frozen_then");
  const auto isolated = apart.eviction("frozen_then");
  REQUIRE(policy);
  REQUIRE(isolated);
  CHECK(ranking(apart, **isolated) == ranking(here, **policy));
}

TEST_CASE("an isolated plugin chooses contexts and hears of events") {
  Rig rig(frozen(true));
  const auto policy = rig.context("frozen_then");
  REQUIRE(policy);
  ContextQuestion question;
  question.model.name = "m";
  question.model.weights_bytes = 9;
  question.wish = 3000;
  question.room_bytes = 88;
  const auto choice = rig.choose(**policy, question);
  REQUIRE(choice);
  CHECK(choice->num_ctx == 3000);
  CHECK(choice->reason == "m: known 1 and 5, weights 9, kv 0, room 88");
  const auto notifier = rig.notifier("frozen_then");
  REQUIRE(notifier);
  Event event;
  event.id = 4;
  event.kind = EventKind::eviction;
  event.sentence = "It was idle";
  event.model = "a:latest";
  event.freed_bytes = 77;
  CHECK(rig.notify(**notifier, event).error().message ==
        "frozen_then answered -3: eviction: It was idle (a:latest), freed 77, known 3, count 1, event 1");
}

TEST_CASE("an isolated plugin hands its state over, to an isolated successor and to one in this process") {
  Rig rig(frozen(true));
  const auto first = rig.eviction("frozen_then");
  REQUIRE(first);
  const auto second = rig.eviction("frozen_then");
  REQUIRE(second);
  CHECK_THAT(ranking(rig, **second).front(), ContainsSubstring("events 1"));
  rig.configure({{"frozen_then", frozen(false)}});
  const auto third = rig.eviction("frozen_then");
  REQUIRE(third);
  CHECK_THAT(ranking(rig, **third).front(), ContainsSubstring("events 2"));
}

TEST_CASE("an isolated plugin takes new values, and keeps the old ones after an error") {
  Rig rig(frozen(true, "1s"));
  const auto policy = rig.eviction("frozen_then");
  REQUIRE(policy);
  rig.configure({{"frozen_then", frozen(true, "2s")}});
  REQUIRE(*rig.reconfigure("frozen_then", "eviction"));
  CHECK_THAT(ranking(rig, **policy).front(), ContainsSubstring("grace 2 s"));
  Values odd = frozen(true, "3s");
  odd["mode"] = std::string("odd");
  rig.configure({{"frozen_then", odd}});
  CHECK_THAT(rig.reconfigure("frozen_then", "eviction").error().message,
             ContainsSubstring("mode: plain or restart"));
  CHECK_THAT(ranking(rig, **policy).front(), ContainsSubstring("grace 2 s"));
}

TEST_CASE("a plugin in quarantine does not run in this process, and may run isolated") {
  Rig rig(frozen(false));
  rig.host().set_quarantine({{"frozen_then", "it crashed"}});
  const auto refused = rig.eviction("frozen_then");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text() ==
        "frozen_then is in quarantine: it crashed (llamavisor plugin trust frozen_then, or "
        "[plugins.frozen_then] isolate = true)");
  rig.configure({{"frozen_then", frozen(true)}});
  CHECK(rig.eviction("frozen_then"));
}

TEST_CASE("each shipped policy runs isolated, but for the one that asks people") {
  for (const std::string id : {"lru", "lfu", "largest", "gdsf", "idle_ttl", "composite"}) {
    CAPTURE(id);
    Rig rig(frozen(true));
    rig.configure({{id, {{"isolate", true}}}});
    const auto policy = rig.eviction(id);
    REQUIRE(policy);
    CHECK(rig.rank(**policy, rig.machine(), 50));
  }
}
