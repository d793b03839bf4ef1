// A plugin that was written for ABI 1.0, built with the headers of then and of now, and the example plugins,
// in today's host: loading, configuration, each role, new values, and what a successor gets to know.
#include <fstream>
#include <sstream>

#include "plugin_host/trial.h"
#include "unit/plugin_host/host_rig.h"

using namespace llamavisor;

namespace {

const std::string kTestPlugins = LLV_PLUGIN_DIR "/../test_plugins";
const std::string kExamples = LLV_PLUGIN_DIR "/../example_plugins";
using testing::Values;

class Rig : public testing::HostRig {
 public:
  explicit Rig(std::map<std::string, Values> plugins = {}) : HostRig({kTestPlugins, kExamples}, plugins) {}
};
Event eviction_event() {
  Event out;
  out.id = 4;
  out.kind = EventKind::eviction;
  out.summary = "Evicted a";
  out.sentence = "It was idle";
  out.model = "a:latest";
  out.freed_bytes = 77;
  return out;
}

}  // namespace

TEST_CASE("the frozen 1.0 plugin ranks in today's host, with old and with new headers") {
  for (const std::string id : {"frozen_then", "frozen_now"}) {
    Rig rig({{id, {{"grace", std::string("45s")}}}});
    const auto policy = rig.eviction(id);
    REQUIRE(policy);
    const auto ranked = rig.rank(**policy, rig.machine(), 50);
    REQUIRE(ranked);
    REQUIRE(ranked->size() == 3);
    // Known: flags, size, last use, load time, requests in flight, uses.
    CHECK(ranked->at(0).reason ==
          "large: size 200, idle 7 s, known 173, limit 1000, need 50, grace 45 s, events 0");
    CHECK(ranked->at(1).reason ==
          "small: size 100, idle 5 s, known 173, limit 1000, need 50, grace 45 s, events 0");
    CHECK(ranked->at(2).model_index == 2);  // refused to the plugin, and left to the guard to tell
  }
}

TEST_CASE("the frozen 1.0 plugin chooses a context and hears of events") {
  for (const std::string id : {"frozen_then", "frozen_now"}) {
    Rig rig;
    const auto policy = rig.context(id);
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
    const auto notifier = rig.notifier(id);
    REQUIRE(notifier);
    const auto told = rig.notify(**notifier, eviction_event());
    REQUIRE_FALSE(told);
    CHECK(told.error().message ==
          id + " answered -3: eviction: It was idle (a:latest), freed 77, known 3, count 1, event 1");
  }
}

TEST_CASE("a successor gets what its predecessor saved, and a first instance gets nothing") {
  Rig rig;
  const auto first = rig.eviction("frozen_then");
  REQUIRE(first);
  const auto second = rig.eviction("frozen_then");  // saves 0 + 1
  REQUIRE(second);
  const auto third = rig.eviction("frozen_then");  // saves 1 + 1
  REQUIRE(third);
  const auto ranked = rig.rank(**third, rig.machine(), 0);
  REQUIRE(ranked);
  CHECK_THAT(ranked->at(0).reason, ContainsSubstring("events 2"));
}

TEST_CASE("state passes only to the same plugin, in the same role") {
  Rig rig;
  const auto first = rig.eviction("frozen_then");
  REQUIRE(first);
  const auto other = rig.eviction("frozen_now");
  REQUIRE(other);
  CHECK_THAT(rig.rank(**other, rig.machine(), 0)->at(0).reason, ContainsSubstring("events 0"));
  const auto notifier = rig.notifier("frozen_then");
  REQUIRE(notifier);
  CHECK_THAT(rig.notify(**notifier, eviction_event()).error().message, ContainsSubstring("event 1"));
}

TEST_CASE("new values reach the running instance; wrong ones leave the old ones in force") {
  Rig rig({{"frozen_then", {{"grace", std::string("1s")}}}});
  const auto policy = rig.eviction("frozen_then");
  REQUIRE(policy);
  rig.configure({{"frozen_then", {{"grace", std::string("2s")}}}});
  const auto taken = rig.reconfigure("frozen_then", "eviction");
  REQUIRE(taken);
  CHECK(*taken);
  CHECK_THAT(rig.rank(**policy, rig.machine(), 0)->at(0).reason, ContainsSubstring("grace 2 s"));

  rig.configure({{"frozen_then", {{"grace", std::string("3s")}, {"mode", std::string("odd")}}}});
  const auto refused = rig.reconfigure("frozen_then", "eviction");
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, ContainsSubstring("mode: plain or restart"));
  rig.configure({{"frozen_then", {{"grace", std::string("3 apples")}}}});
  CHECK_THAT(rig.reconfigure("frozen_then", "eviction").error().text(), ContainsSubstring("grace"));
  CHECK_THAT(rig.rank(**policy, rig.machine(), 0)->at(0).reason, ContainsSubstring("grace 2 s"));
}

TEST_CASE("an instance that wants a new one, and one that cannot take values, are to be swapped") {
  Rig rig;
  const auto policy = rig.eviction("frozen_then");
  REQUIRE(policy);
  rig.configure({{"frozen_then", {{"mode", std::string("restart")}}}});
  const auto taken = rig.reconfigure("frozen_then", "eviction");
  REQUIRE(taken);
  CHECK_FALSE(*taken);
  const auto minimal = rig.eviction("minimal");
  REQUIRE(minimal);
  CHECK_FALSE(*rig.reconfigure("minimal", "eviction"));
  CHECK_FALSE(*rig.reconfigure("not_running", "eviction"));
}

TEST_CASE("the example in C gives each model its turn, across a swap") {
  Rig rig({{"round_robin", {{"ties", std::string("large")}}}});
  auto policy = rig.eviction("round_robin");
  REQUIRE(policy);
  CHECK(rig.rank(**policy, rig.machine(), 1)->at(0).model_index == 1);  // the larger one
  policy = rig.eviction("round_robin");
  REQUIRE(policy);
  const auto ranked = rig.rank(**policy, rig.machine(), 1);
  CHECK(ranked->at(0).model_index == 0);
  CHECK(ranked->at(0).reason == "its turn to go");
  rig.configure({{"round_robin", {{"ties", std::string("neither")}}}});
  CHECK_THAT(rig.eviction("round_robin").error().text(), ContainsSubstring("ties: old or large"));
}

TEST_CASE("the example in C++ numbers its lines on across a swap, and follows a new file name") {
  testing::TempDir folder;
  Rig rig({{"event_file", {{"path", folder.file("one")}}}});
  auto notifier = rig.notifier("event_file");
  REQUIRE(notifier);
  REQUIRE(rig.notify(**notifier, eviction_event()));
  notifier = rig.notifier("event_file");
  REQUIRE(notifier);
  rig.configure({{"event_file", {{"path", folder.file("two")}}}});
  REQUIRE(*rig.reconfigure("event_file", "notify"));
  REQUIRE(rig.notify(**notifier, eviction_event()));
  const auto start_of = [&](const std::string& name) {
    std::ifstream file(folder.file(name));
    std::string line;
    std::getline(file, line);
    return line.substr(0, 14);
  };
  CHECK(start_of("one") == R"({"n":1,"event")");
  CHECK(start_of("two") == R"({"n":2,"event")");
}

TEST_CASE("a plugin's key that has no default must be set, and an unknown one is named") {
  Rig rig;
  CHECK_THAT(rig.notifier("event_file").error().text(), ContainsSubstring("path must be set"));
  rig.configure({{"round_robin", {{"tie", std::string("old")}}}});
  CHECK_THAT(rig.eviction("round_robin").error().text(), ContainsSubstring("did you mean ties?"));
}

#ifdef LLV_RUST_EXAMPLE
TEST_CASE("the example in Rust gives the largest context that fits") {
  Rig rig({{"fit_context", {{"share", 0.5}}}});
  const auto policy = rig.context("fit_context");
  REQUIRE(policy);
  ContextQuestion question;
  question.model.name = "m";
  question.model.weights_bytes = 1000;
  question.default_num_ctx = 4096;
  CHECK(rig.choose(**policy, question)->num_ctx == 4096);
  question.kv_bytes_per_token = 10;
  question.room_bytes = 1000 + 2 * 16384 * 10;
  CHECK(rig.choose(**policy, question)->num_ctx == 16384);
  question.room_bytes -= 1;
  CHECK(rig.choose(**policy, question)->num_ctx == 8192);
  question.wish = 777;
  CHECK(rig.choose(**policy, question)->reason == "as was wished");
  rig.configure({{"fit_context", {{"share", 7.0}}}});
  CHECK_THAT(rig.context("fit_context").error().text(), ContainsSubstring("out of range"));
}
#endif

TEST_CASE("plugin check tries what it can and says what it could not try") {
  Rig rig;
  Settings settings;
  settings.policy.deadline = std::chrono::seconds(10);
  const auto frozen = check_plugin_file(kTestPlugins + "/frozen_then.so", settings);
  REQUIRE(frozen);
  CHECK(frozen->at(0).untried.empty());
  CHECK(frozen->at(0).info.roles.size() == 3);
  const auto example = check_plugin_file(kExamples + "/event_file.so", settings);
  REQUIRE(example);
  CHECK_THAT(example->at(0).untried, ContainsSubstring("path must be set"));
  settings.plugins["probe"]["mode"] = std::string("throw");
  const auto throws = check_plugin_file(kTestPlugins + "/probe.so", settings);
  REQUIRE_FALSE(throws);
  CHECK_THAT(throws.error().message, ContainsSubstring("the probe failed"));
}

TEST_CASE("config check finds mistakes in the tables of plugins") {
  Rig rig;
  Settings settings;
  settings.plugins["round_robin"]["ties"] = std::int64_t{3};
  settings.plugins["event_fill"]["path"] = std::string("/x");
  const auto mistakes = check_plugin_tables({kExamples}, settings);
  REQUIRE(mistakes.size() == 2);
  CHECK_THAT(mistakes[0], ContainsSubstring("ties: expected a string"));
  CHECK_THAT(mistakes[1], ContainsSubstring("did you mean event_file?"));
}
