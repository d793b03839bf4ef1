// The ask policy, as built, against a real bus and a notification daemon whose buttons are pressed.
#include <filesystem>

#include "support/catch.h"
#include "support/temp_dir.h"
#include "unit/sdk/fake_desktop.h"
#include "unit/sdk/policy_rig.h"

using namespace sdk_rig;

namespace {

constexpr auto kPatience = std::chrono::seconds(60);  // only ends a broken test

struct AskTest {
  BusAddress where;
  Bus bus{where};
  llamavisor::testing::TempDir dir;
  std::string kept = dir.file("kept");
  World world;

  std::map<std::string, Value> config(const std::string& unanswered = "keep") const {
    return {{"after", std::int64_t{60'000'000'000}},
            {"patience", std::int64_t{120'000'000'000}},
            {"unanswered", unanswered},
            {"kept_file", kept}};
  }
  // a was left for b a minute ago: the policy asks.
  void leave_a(const Instance& ask) {
    world.use("a", 3);
    world.pass(1s);
    world.use("b");
    world.due_now(ask);
    world.pass(60s);
    world.use("b");
    world.due_now(ask);
  }
  template <class Condition>
  static void wait_for(const Condition& condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  Shown asked(const NotificationDaemon& daemon, std::size_t count = 1) const {
    wait_for([&] { return daemon.shown().size() >= count; });
    return daemon.shown().at(count - 1);
  }
};

}  // namespace

TEST_CASE("ask asks a minute after a switch, and unloads when it is told to") {
  AskTest t;
  NotificationDaemon daemon(t.where, {});
  const Instance ask(shipped("ask"), t.config());
  t.world.use("a", 3);
  t.world.pass(1s);
  t.world.use("b");
  t.world.due_now(ask);  // sees the switch
  t.world.pass(59s);
  t.world.due_now(ask);
  CHECK(daemon.shown().empty());
  t.world.pass(1s);
  t.world.due_now(ask);
  const Shown question = t.asked(daemon);
  CHECK(question.summary == "Unload a?");
  CHECK(question.body == "It is idle since 1 min 1 s, another model is in use; it holds 3 GB.");
  CHECK(question.actions ==
        std::vector<std::string>{"unload", "Unload", "keep", "Keep", "always", "Keep always"});
  CHECK(t.world.due_now(ask).empty());
  daemon.press(question.id, "unload");
  AskTest::wait_for([&] { return !t.world.due_now(ask).empty(); });
  CHECK(t.world.due_now(ask).at(0).reason == "you were asked after the switch and answered: unload");
  CHECK(t.world.now.models.at(t.world.due_now(ask).at(0).model_index).name == "a");
}

TEST_CASE("ask keeps a model until it is left again, or for ever") {
  AskTest t;
  NotificationDaemon daemon(t.where, {});
  {
    const Instance ask(shipped("ask"), t.config());
    t.leave_a(ask);
    daemon.press(t.asked(daemon).id, "keep");
    t.world.pass(10min);
    t.world.due_now(ask);
    t.world.pass(10min);
    CHECK(t.world.due_now(ask).empty());
    CHECK(daemon.shown().size() == 1);
    t.leave_a(ask);  // used and left again: it asks anew
    daemon.press(t.asked(daemon, 2).id, "always");
    AskTest::wait_for([&] { return std::filesystem::exists(t.kept); });
    t.leave_a(ask);
    t.world.pass(10min);
    CHECK(t.world.due_now(ask).empty());
  }
  const Instance after_restart(shipped("ask"), t.config("unload"));
  t.leave_a(after_restart);
  t.world.pass(10min);
  CHECK(t.world.due_now(after_restart).empty());
  CHECK(daemon.shown().size() == 2);
  t.world.use("b");  // a is idle for longer, and yet goes last
  CHECK(t.world.order(after_restart) == std::vector<std::string>{"b", "a"});
}

TEST_CASE("no answer, a closed question and nobody to ask all mean what is configured") {
  AskTest t;
  const std::string wanted = GENERATE("keep", "unload");
  const std::string how = GENERATE("no answer", "closed", "no buttons");
  NotificationDaemon daemon(t.where, {.markup = how == "no buttons"});
  const Instance ask(shipped("ask"), t.config(wanted));
  t.leave_a(ask);
  if (how == "closed") {
    daemon.dismiss(t.asked(daemon).id);
  } else if (how == "no answer") {
    t.asked(daemon);
    t.world.pass(119s);
    CHECK(t.world.due_now(ask).empty());
    t.world.pass(1s);
  }
  AskTest::wait_for([&] {
    const auto due = t.world.due_now(ask);
    return wanted == "unload" ? !due.empty() : !ask.host.log.empty();
  });
  CHECK(t.world.due_now(ask).size() == (wanted == "unload" ? 1 : 0));
  CHECK_THAT(ask.host.log.at(0), ContainsSubstring("a: nobody answered"));
}

TEST_CASE("an answer about a model that was used again counts for nothing, and the question is withdrawn") {
  AskTest t;
  NotificationDaemon daemon(t.where, {});
  const Instance ask(shipped("ask"), t.config());
  t.leave_a(ask);
  const Shown question = t.asked(daemon);
  t.world.pass(1s);
  t.world.use("a");
  CHECK(t.world.due_now(ask).empty());
  AskTest::wait_for([&] { return !daemon.withdrawn().empty(); });
  CHECK(daemon.withdrawn().at(0) == question.id);
  daemon.press(question.id, "unload");
  t.world.pass(1s);
  CHECK(t.world.due_now(ask).empty());
}

TEST_CASE("ask without a bus goes on, and refuses a wrong default") {
  AskTest t;
  setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
  const Instance ask(shipped("ask"), t.config("unload"));
  t.leave_a(ask);
  AskTest::wait_for([&] { return !t.world.due_now(ask).empty(); });
  CHECK_THAT(t.world.due_now(ask).at(0).reason, ContainsSubstring("no session bus"));
  CHECK(Instance(shipped("ask"), t.config("perhaps")).made.text ==
        "unanswered: write \"keep\" or \"unload\"");
}
