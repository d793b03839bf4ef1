// The desktop plugin, as built, against a real bus and a notification daemon of the test's own.
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>

#include "support/catch.h"
#include "unit/sdk/fake_desktop.h"
#include "unit/sdk/plugin_rig.h"

using namespace sdk_rig;

namespace {

constexpr std::int64_t kPatience = 60'000'000'000;  // where the answer comes for sure
constexpr std::int64_t kShort = 200'000'000;        // where none comes

std::map<std::string, Value> timeout(std::int64_t ns) {
  return {{"timeout", ns}};
}

}  // namespace

TEST_CASE("desktop shows summary and body, and replaces its bubble within a burst of one kind") {
  const BusAddress where;
  const Bus bus(where);
  const NotificationDaemon daemon(where, {});
  Instance desktop(shipped("desktop"), timeout(kPatience));
  CHECK(notify(desktop, "eviction", "Evicted a", "It was idle; 3 GB < 4 GB & more").text.empty());
  CHECK(notify(desktop, "eviction", "Evicted b", "second").code == LLV_OK);
  CHECK(notify(desktop, "server_down", "Ollama is down", "third").code == LLV_OK);
  desktop.host.now_ns += 60 * kSecond;
  CHECK(notify(desktop, "eviction", "Evicted c", "fourth").code == LLV_OK);
  const auto shown = daemon.shown();
  REQUIRE(shown.size() == 4);
  CHECK(shown[0].app == "llamavisor");
  CHECK(shown[0].summary == "Evicted a");
  CHECK(shown[0].body == "It was idle; 3 GB < 4 GB & more");
  CHECK(shown[0].urgency == LLV_URGENCY_NORMAL);
  CHECK(shown[0].replaces == 0);
  CHECK(shown[1].replaces == shown[0].id);
  CHECK(shown[2].replaces == 0);
  CHECK(shown[3].replaces == 0);
}

TEST_CASE("desktop escapes the body for a daemon that reads markup") {
  const BusAddress where;
  const Bus bus(where);
  const NotificationDaemon daemon(where, {.markup = true});
  CHECK(notify(Instance(shipped("desktop"), timeout(kPatience)), "eviction", "a < b", "3 < 4 & <b>x</b>")
            .code == LLV_OK);
  REQUIRE(daemon.shown().size() == 1);
  CHECK(daemon.shown()[0].summary == "a < b");
  CHECK(daemon.shown()[0].body == "3 &lt; 4 &amp; &lt;b&gt;x&lt;/b&gt;");
}

TEST_CASE("desktop says that there is no bus, or no daemon on it") {
  const BusAddress where;
  const Instance desktop(shipped("desktop"), timeout(kPatience));
  CHECK(desktop.made.code == LLV_OK);
  const Answer no_bus = notify(desktop, "eviction", "s", "b");
  CHECK(no_bus.code == LLV_E_UNAVAILABLE);
  CHECK(no_bus.text == "no session bus: No such file or directory");
  const Bus bus(where);
  const Answer no_daemon = notify(desktop, "eviction", "s", "b");
  CHECK(no_daemon.code == LLV_E_UNAVAILABLE);
  CHECK_THAT(no_daemon.text, ContainsSubstring("no notification daemon"));
}

TEST_CASE("desktop works again when the bus returns") {
  const BusAddress where;
  const Instance desktop(shipped("desktop"), timeout(kPatience));
  {
    const Bus bus(where);
    const NotificationDaemon daemon(where, {});
    CHECK(notify(desktop, "eviction", "before", "b").code == LLV_OK);
  }
  const Answer gone = notify(desktop, "eviction", "s", "b");
  CHECK(gone.code == LLV_E_UNAVAILABLE);
  CHECK_THAT(gone.text, ContainsSubstring("no session bus"));
  auto bus = std::make_unique<Bus>(where);
  {
    const NotificationDaemon daemon(where, {});
    CHECK(notify(desktop, "eviction", "after", "b").code == LLV_OK);
    CHECK(daemon.shown().at(0).replaces == 0);  // the old bubble died with the old daemon
  }
  bus.reset();
  bus = std::make_unique<Bus>(where);  // no event in between: the kept connection is stale
  const NotificationDaemon daemon(where, {});
  CHECK(notify(desktop, "eviction", "at once", "b").code == LLV_OK);
  CHECK(daemon.shown().size() == 1);
}

TEST_CASE("desktop gives up on a daemon that does not answer") {
  const BusAddress where;
  const Bus bus(where);
  const NotificationDaemon daemon(where, {.silent = true});
  CHECK(notify(Instance(shipped("desktop"), timeout(kShort)), "eviction", "s", "b").code == LLV_E_TIMEOUT);
}

TEST_CASE("desktop gives up on a bus that accepts and says nothing") {
  const BusAddress where;
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  where.socket().copy(name.sun_path, sizeof name.sun_path - 1);
  REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  REQUIRE(listen(listener, 4) == 0);
  const Answer answer = notify(Instance(shipped("desktop"), timeout(kShort)), "eviction", "s", "b");
  CHECK(answer.code == LLV_E_TIMEOUT);
  close(listener);
}
