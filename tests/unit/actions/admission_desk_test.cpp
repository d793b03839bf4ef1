#include "actions/admission_desk.h"

#include <thread>

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
  PolicyEngine engine{[](const std::string&) {}};
  Executor executor{io, clock, ledger, tasks, events};
  AdmissionDesk desk{{io, clock, ledger, engine, executor, tasks, events}};
  Settings settings;

  explicit Fixture(std::uint64_t limit_bytes) {
    settings.memory.min_available_bytes = 0;
    settings.memory.admission_wait = std::chrono::milliseconds(300);
    ledger.on_change([this] { desk.pump(); });
    configure(limit_bytes);
  }
  void configure(std::uint64_t limit_bytes) { desk.configure(settings, limit_bytes, 4096); }

  // Runs until nothing more happens, or the answer is there.
  Verdict ask(Ask what) {
    what.model = canonical_model_name(what.model);
    if (auto now = desk.try_now(what)) {
      return std::move(*now);
    }
    std::optional<Verdict> out;
    const auto ticket = desk.wait(what, [&](Verdict verdict) { out = std::move(verdict); });
    while (!out && io.run_one_for(std::chrono::seconds(5)) > 0) {
    }
    REQUIRE(out);
    return std::move(*out);
  }
  Granted granted(const std::string& model, std::optional<std::uint32_t> wish = {}, bool native = true) {
    Verdict verdict = ask({model, native, wish});
    if (const auto* denied = std::get_if<Denied>(&verdict)) {
      FAIL(denied->message);
    }
    auto out = std::get<Granted>(std::move(verdict));
    out.lease.answered();
    tasks.running[out.lease.residency().key] = out.lease.residency().name;
    clock.advance(std::chrono::seconds(1));
    return out;
  }
  Denied denied(const std::string& model, std::optional<std::uint32_t> wish = {}) {
    return std::get<Denied>(ask({model, true, wish}));
  }
  void settle() {
    io.restart();
    while (io.run_one_for(std::chrono::milliseconds(20)) > 0) {
    }
  }
  bool resident(const std::string& model) { return ledger.find(canonical_model_name(model)) != nullptr; }
};

}  // namespace

TEST_CASE("in the order A B A C with room for two, B goes and only B", "[desk]") {
  Fixture f(250);
  f.tasks.install("a", 100);
  f.tasks.install("b", 100);
  f.tasks.install("c", 100);
  f.granted("a");
  f.granted("b");
  f.granted("a");
  f.granted("c");
  REQUIRE(f.resident("a"));
  REQUIRE_FALSE(f.resident("b"));
  REQUIRE(f.resident("c"));
  REQUIRE(f.tasks.unloaded == std::vector<std::string>{"b:latest"});
  REQUIRE_THAT(f.events.last(EventKind::eviction)->sentence,
               ContainsSubstring("Evicted b:latest (last used"));
}

TEST_CASE("a busy model is waited for and then goes, and its new requests come after", "[desk]") {
  Fixture f(150);
  f.tasks.install("a", 100);
  f.tasks.install("b", 100);
  auto busy = f.granted("a");
  std::optional<Verdict> for_b;
  std::optional<Verdict> for_a;
  const auto ticket_b = f.desk.wait({"b:latest", true, {}}, [&](Verdict v) { for_b = std::move(v); });
  f.settle();
  REQUIRE_FALSE(for_b);
  const auto ticket_a = f.desk.wait({"a:latest", true, {}}, [&](Verdict v) { for_a = std::move(v); });
  busy.lease.release();
  f.settle();
  REQUIRE(std::holds_alternative<Granted>(*for_b));
  REQUIRE_FALSE(for_a);
  std::get<Granted>(*for_b).lease.answered();
  f.tasks.running["sha256:b"] = "b:latest";
  std::get<Granted>(*for_b).lease.release();
  f.settle();
  REQUIRE(for_a);
  REQUIRE(std::holds_alternative<Granted>(*for_a));
}

TEST_CASE("a request that waits too long is refused and the gate opens again", "[desk]") {
  Fixture f(150);
  f.tasks.install("a", 100);
  f.tasks.install("b", 100);
  const auto busy = f.granted("a");
  const auto ticket = f.desk.wait({"b:latest", true, {}}, [](Verdict) {});
  f.settle();
  f.clock.advance(std::chrono::seconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(350));  // the desk's own timers run on real time
  f.settle();
  REQUIRE(f.desk.waiting() == 0);
  REQUIRE(f.ledger.find("a:latest")->gate_open());
}

TEST_CASE("what can never fit is refused at once and nothing is evicted", "[desk]") {
  Fixture f(150);
  f.tasks.install("a", 100);
  f.tasks.install("big", 1000);
  f.granted("a");
  const Denied denied = f.denied("big");
  REQUIRE(denied.http_status == 503);
  REQUIRE_FALSE(denied.retry_after);
  REQUIRE_THAT(denied.message, ContainsSubstring("1000 B"));
  REQUIRE(f.resident("a"));
  REQUIRE_FALSE(f.events.last(EventKind::eviction));
}

TEST_CASE("a pinned model is never the victim", "[desk]") {
  Fixture f(250);
  f.ledger.set_rules(
      [](const std::string& name) { return ModelRule{.glob = name, .pin = name == "a:latest"}; });
  for (const char* name : {"a", "b", "c"}) {
    f.tasks.install(name, 100);
    f.granted(name);
  }
  REQUIRE(f.resident("a"));
  REQUIRE_FALSE(f.resident("b"));
}

TEST_CASE("requests for a resident model are mapped onto its num_ctx", "[desk]") {
  Fixture f(1000);
  f.settings.context.grow = false;
  f.configure(1000);
  f.tasks.install("a", 100);
  REQUIRE_FALSE(f.granted("a").num_ctx);
  REQUIRE(f.granted("a", 2048).num_ctx == 4096U);
  REQUIRE(f.granted("a", 8192).num_ctx == 4096U);
  REQUIRE_FALSE(f.granted("a", {}, false).num_ctx);
  REQUIRE(f.tasks.unloaded.empty());
}

TEST_CASE("a larger wish reloads an idle model once, and smaller ones stay on it", "[desk]") {
  Fixture f(1000);
  f.tasks.install("a", 100);
  f.granted("a", 2048);
  REQUIRE(f.granted("a", 8192).lease.residency().num_ctx == 8192U);
  REQUIRE(f.granted("a", 2048).num_ctx == 8192U);
  REQUIRE(f.granted("a").num_ctx == 8192U);
  REQUIRE(f.tasks.unloaded.size() == 1);
}

TEST_CASE("a larger wish that does not fit is served with what is there", "[desk]") {
  Fixture f(150);
  f.tasks.install("a", 100, 10);
  f.granted("a", 2048);
  REQUIRE(f.granted("a", 32768).num_ctx == 2048U);
  REQUIRE(f.tasks.unloaded.empty());
}

TEST_CASE("the owner's max_num_ctx bounds what a client can wish", "[desk]") {
  Fixture f(1000);
  f.settings.models.push_back({.glob = "a", .max_num_ctx = 4096});
  f.configure(1000);
  f.tasks.install("a", 100);
  REQUIRE(f.granted("a", 8192).num_ctx == 4096U);
}

TEST_CASE("names that share a blob share a residency", "[desk]") {
  Fixture f(1000);
  f.tasks.install("a", 100);
  f.tasks.alias("b", "a");
  const auto a = f.granted("a");
  const auto b = f.granted("b");
  REQUIRE(&a.lease.residency() == &b.lease.residency());
}

TEST_CASE("a name that means another blob by now is another model", "[desk]") {
  Fixture f(250);
  for (const char* name : {"a", "b", "c"}) {
    f.tasks.install(name, 100);
  }
  f.granted("a");
  f.tasks.alias("a", "b");  // a pull has replaced it
  f.desk.forget_names();
  f.granted("a");
  REQUIRE(f.ledger.find_key("sha256:a"));
  REQUIRE(f.ledger.find_key("sha256:b"));
  f.granted("c");
  REQUIRE_FALSE(f.ledger.find_key("sha256:a"));  // the older of the two that share the name
  REQUIRE(f.ledger.find_key("sha256:b"));
}

TEST_CASE("a busy model stays when the client that waits for its room leaves", "[desk]") {
  Fixture f(150);
  f.tasks.install("a", 100);
  f.tasks.install("b", 100);
  auto busy = f.granted("a");
  auto ticket = f.desk.wait({"b:latest", true, {}}, [](Verdict) {});
  f.settle();
  REQUIRE_FALSE(f.ledger.find("a:latest")->gate_open());
  ticket.reset();
  f.settle();
  REQUIRE(f.ledger.find("a:latest")->gate_open());
  busy.lease.release();
  f.settle();
  REQUIRE(f.resident("a"));
  REQUIRE(f.tasks.unloaded.empty());
}

TEST_CASE("a model that is pinned while it drains stays", "[desk]") {
  Fixture f(150);
  bool pinned = false;
  f.ledger.set_rules([&](const std::string& name) { return ModelRule{.glob = name, .pin = pinned}; });
  f.tasks.install("a", 100);
  f.tasks.install("b", 100);
  auto busy = f.granted("a");
  std::optional<Verdict> out;
  const auto ticket = f.desk.wait({"b:latest", true, {}}, [&](Verdict v) { out = std::move(v); });
  f.settle();
  pinned = true;
  busy.lease.release();
  f.settle();
  REQUIRE(f.tasks.unloaded.empty());
  REQUIRE(std::holds_alternative<Denied>(*out));  // and b can never fit
}

TEST_CASE("an unknown name is relayed as it is", "[desk]") {
  Fixture f(1000);
  REQUIRE(std::holds_alternative<Unknown>(f.ask({"nope", true, {}})));
}

TEST_CASE("models that went by themselves are noticed before anything is evicted", "[desk]") {
  Fixture f(250);
  for (const char* name : {"a", "b", "c"}) {
    f.tasks.install(name, 100);
  }
  f.granted("a");
  f.granted("b");
  f.tasks.running.erase("sha256:a");  // its keep_alive ran out
  f.granted("c");
  REQUIRE(f.tasks.unloaded.empty());
  REQUIRE(f.resident("b"));
}

TEST_CASE("a model that does not go is reported and the request is refused in the end", "[desk]") {
  Fixture f(150);
  f.tasks.install("a", 100);
  f.tasks.install("b", 100);
  f.granted("a");
  f.tasks.stubborn = true;
  std::optional<Verdict> out;
  const auto ticket = f.desk.wait({"b:latest", true, {}}, [&](Verdict v) { out = std::move(v); });
  for (int i = 0; i < 200 && !out; ++i) {
    f.clock.advance(std::chrono::milliseconds(10));
    f.io.run_one_for(std::chrono::milliseconds(10));
  }
  REQUIRE(out);
  REQUIRE(std::holds_alternative<Denied>(*out));
  REQUIRE(f.events.last(EventKind::eviction_failed));
}

namespace {

// The rules reach the ledger and the desk as the supervisor hands them on.
void set_models(Fixture& f, std::uint64_t limit_bytes, std::vector<ModelRule> rules) {
  f.settings.models = std::move(rules);
  f.configure(limit_bytes);
  f.ledger.set_rules([&f](const std::string& name) { return rule_for(f.settings, name); });
  f.ledger.set_thrash_window(std::chrono::minutes(10));
  for (const char* name : {"a", "b", "c"}) {
    f.tasks.install(name, 100);
  }
}

}  // namespace

TEST_CASE("models of an exclusive group are never resident together", "[desk]") {
  Fixture f(1000);
  set_models(f, 1000, {{.glob = "[ab]", .exclusive = "big"}});
  for (const char* name : {"a", "c", "b", "a", "b"}) {
    f.granted(name);
    REQUIRE_FALSE((f.resident("a") && f.resident("b")));
  }
  REQUIRE(f.resident("c"));
  REQUIRE_THAT(f.events.last(EventKind::eviction)->sentence,
               ContainsSubstring("b:latest excludes it (group big)"));
}

TEST_CASE("models that go together leave together", "[desk]") {
  Fixture f(250);
  set_models(f, 250, {{.glob = "[ab]", .together = "rag"}});
  f.granted("a");
  f.granted("b");
  f.granted("c");
  REQUIRE_FALSE(f.resident("a"));
  REQUIRE_FALSE(f.resident("b"));
}

TEST_CASE("a load over the model's own limit is refused at once", "[desk]") {
  Fixture f(1000);
  set_models(f, 1000, {{.glob = "a", .limit_bytes = 99}});
  REQUIRE_THAT(f.denied("a").message, ContainsSubstring("more than its own limit of 99 B"));
  f.granted("b");
}

TEST_CASE("a model that came back soon after its eviction is spared, and the event says so", "[desk]") {
  Fixture f(250);
  set_models(f, 250, {});
  for (const char* name : {"a", "b", "c", "a"}) {  // a goes for c, then b for a
    f.granted(name);
  }
  f.granted("c");
  f.clock.advance(std::chrono::seconds(30));
  f.granted("b");  // a is the least recently used, but it was back within seconds; c goes
  REQUIRE(f.resident("a"));
  REQUIRE_FALSE(f.resident("c"));
  REQUIRE_THAT(f.events.last(EventKind::eviction)->sentence,
               ContainsSubstring("it goes before a:latest, which was loaded again"));
}
