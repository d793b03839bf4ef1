#include "cli/cli.h"

#include <boost/json/parse.hpp>
#include <chrono>
#include <filesystem>

#include "cli_rig.h"
#include "support/unix_client.h"

using namespace llamavisor;
namespace json = boost::json;
using llamavisor::testing::Captured;
using llamavisor::testing::CliRig;
using llamavisor::testing::LiveRig;
using Words = std::vector<std::string>;

namespace {

const json::object kModel{
    {"name", "a:latest"}, {"size_bytes", 1 << 20}, {"forecast_bytes", 2 << 20}, {"num_ctx", 4096},
    {"fits", true},       {"fits_now", false},     {"resident", false},         {"forecast_basis", "header"}};

}  // namespace

TEST_CASE("without a supervisor a command that needs one ends with 3 and says how to start one") {
  const CliRig rig;
  for (const Words& words :
       {Words{"status"}, Words{"status", "--json"}, Words{"ps"}, Words{"models"}, Words{"evict", "a"},
        Words{"pin", "a"}, Words{"unpin", "a"}, Words{"limit"}, Words{"limit", "6GB"}, Words{"reload"},
        Words{"logs"}, Words{"logs", "-f"}, Words{"events"}, Words{"events", "-f"},
        Words{"plugin", "use", "eviction", "lru"}}) {
    const Captured done = CliRig::run(words);
    INFO(words.front());
    CHECK(done.code == 3);
    CHECK(done.out.empty());
    CHECK_THAT(done.err, ContainsSubstring("no supervisor is running"));
    CHECK_THAT(done.err, ContainsSubstring("llamavisor serve"));
  }
}

TEST_CASE("a path that is too long for a socket is nobody who listens") {
  CliRig rig;
  rig.environment.set("LLAMAVISOR_SOCKET", "/tmp/" + std::string(200, 'x'));
  CHECK(CliRig::run({"status"}).code == 3);
}

TEST_CASE("what is typed wrongly ends with 2, and a near command is named") {
  const CliRig rig;
  for (const Words& words : {Words{},
                             Words{"evict"},
                             Words{"evict", "a", "b"},
                             Words{"--nothing"},
                             Words{"status", "--nothing"},
                             Words{"profile"},
                             Words{"profile", "lsit"},
                             Words{"profile", "show", "nothing"},
                             Words{"profile", "use", "nothing"},
                             Words{"plugin", "info", "nothing"},
                             Words{"config"},
                             Words{"config", "set", "memory.limit"},
                             Words{"config", "set", "memory.limti", "6GB"},
                             Words{"config", "set", "memory.limit", "much"},
                             Words{"config", "check", "/nothing"},
                             Words{"config", "check", rig.tree.root()},
                             Words{"logs", "-n", "many"},
                             Words{"logs", "-n", "-5"},
                             Words{"completion", "csh"},
                             Words{"completion"}}) {
    const Captured done = CliRig::run(words);
    INFO((words.empty() ? "" : words.back()) << ": " << done.err);
    CHECK(done.code == 2);
    CHECK(done.out.empty());
    CHECK(done.err.starts_with("llamavisor: "));
  }
  CHECK_THAT(CliRig::run({"statsu"}).err, ContainsSubstring("statsu is not a command; did you mean status?"));
  CHECK(CliRig::run({"frobnicate"}).err.find("did you mean") == std::string::npos);
}

TEST_CASE("what the supervisor refuses ends with 1 and its words") {
  LiveRig rig;
  rig.supervisor.refusal = {409, Error("a is pinned", "llamavisor unpin a")};
  for (const Words& words : {Words{"evict", "refuse"}, Words{"limit", "refuse"}}) {
    const Captured done = LiveRig::run(words);
    CHECK(done.code == 1);
    CHECK(done.out.empty());
    CHECK(done.err == "llamavisor: a is pinned (llamavisor unpin a)\n");
  }
}

TEST_CASE("help and version end with 0, and every command has help") {
  const CliRig rig;
  for (const Words& words :
       {Words{"--help"}, Words{"serve", "--help"}, Words{"status", "--help"}, Words{"ps", "--help"},
        Words{"models", "--help"}, Words{"evict", "--help"}, Words{"pin", "--help"}, Words{"unpin", "--help"},
        Words{"limit", "--help"}, Words{"reload", "--help"}, Words{"logs", "--help"},
        Words{"events", "--help"}, Words{"profile", "use", "--help"}, Words{"plugin", "use", "--help"},
        Words{"config", "set", "--help"}, Words{"doctor", "--help"}, Words{"version", "--help"},
        Words{"completion", "--help"}}) {
    const Captured done = CliRig::run(words);
    CHECK(done.code == 0);
    CHECK_THAT(done.out, ContainsSubstring("--help"));
    CHECK(done.err.empty());
  }
  CHECK_THAT(CliRig::run({"--help"}).out,
             ContainsSubstring("0 done, 1 failed, 2 usage, 3 no supervisor is running"));
  CHECK(CliRig::run({"version"}).out == "llamavisor " LLV_VERSION "\n");
  CHECK(CliRig::run({"--version"}).out == "llamavisor " LLV_VERSION "\n");
}

TEST_CASE("every listing of a running supervisor is one JSON object on one line") {
  LiveRig rig;
  rig.supervisor.answers["models"] = {{"models", json::array{kModel}}};
  rig.supervisor.answers["doctor"] = {{"checks", json::array{}}};
  for (const Words& words :
       {Words{"status"}, Words{"ps"}, Words{"models"}, Words{"limit"}, Words{"limit", "6GB"},
        Words{"profile", "list"}, Words{"plugin", "list"}, Words{"config", "show"}, Words{"doctor"}}) {
    Words with_json = words;
    with_json.emplace_back("--json");
    const Captured done = LiveRig::run(with_json);
    INFO(words.front() << done.err);
    boost::system::error_code ec;
    const json::value value = json::parse(done.out, ec);
    CHECK_FALSE(ec);
    CHECK(value.is_object());
    CHECK(done.out.find('\n') == done.out.size() - 1);
    CHECK(done.out.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("the listings that need no supervisor are JSON without one") {
  CliRig rig;
  rig.tree.write("c.toml", "[server]\nollama = \"/nothing\"\n");
  const std::string file = rig.tree.root() + "/c.toml";
  CHECK(json::parse(CliRig::run({"profile", "list", "--json"}).out).at("profiles").as_array().size() == 4);
  CHECK(json::parse(CliRig::run({"config", "show", "--json", "--config", file}).out).at("values").is_array());
  const Captured doctor = CliRig::run({"doctor", "--json", "--config", file});
  CHECK(doctor.code == 1);
  CHECK(json::parse(doctor.out).at("ok") == false);
}

TEST_CASE("the words of a command reach the supervisor") {
  LiveRig rig;
  CHECK(LiveRig::run({"evict", "a:7b"}).code == 0);
  CHECK(LiveRig::run({"pin", "a"}).code == 0);
  CHECK(LiveRig::run({"unpin", "a"}).code == 0);
  CHECK(LiveRig::run({"limit", "60%"}).code == 0);
  CHECK(LiveRig::run({"profile", "use", "laptop"}).code == 0);
  CHECK(LiveRig::run({"plugin", "use", "eviction", "largest"}).code == 0);
  CHECK(rig.calls() == Words{"evict a:7b ", "pin a", "unpin a", "set_limit 60%", "use_profile laptop",
                             "use_plugin eviction largest"});
}

TEST_CASE("the models table says in words what fits") {
  LiveRig rig;
  json::object small = kModel;
  json::object large = kModel;
  json::object loaded = kModel;
  small["fits_now"] = true;
  large["fits"] = false;
  loaded["resident"] = true;
  rig.supervisor.answers["models"] = {{"models", json::array{kModel, small, large, loaded}}};
  const std::string out = LiveRig::run({"models"}).out;
  for (const char* word :
       {"MODEL", "1.00 MB", "2.00 MB", "4096", "after eviction", "yes", "no", "loaded", "header"}) {
    CHECK_THAT(out, ContainsSubstring(word));
  }
  rig.supervisor.answers["models"] = {{"models", json::array{}}};
  CHECK(LiveRig::run({"models"}).out == "No model is installed.\n");
}

TEST_CASE("logs print what came and events one line each") {
  LiveRig rig;
  CHECK(LiveRig::run({"logs", "-n", "5"}).out == "lines=5\none\ntwo\n");
  rig.supervisor.tail = R"({"id":1,"kind":"eviction","at_unix_ms":0,"sentence":"Evicted a."})"
                        "\n";
  CHECK_THAT(LiveRig::run({"events"}).out, ContainsSubstring("  eviction  Evicted a.\n"));
  CHECK_THAT(LiveRig::run({"events", "--json"}).out, ContainsSubstring("\"kind\":\"eviction\""));
}

TEST_CASE("an error in the place of a log is said on stderr and fails") {
  LiveRig rig;
  std::vector<std::unique_ptr<llamavisor::testing::UnixClient>> followers;
  for (int i = 0; i < 64; ++i) {
    followers.push_back(std::make_unique<llamavisor::testing::UnixClient>(rig.socket));
    while (!followers.back()->connected()) {
      followers.back() = std::make_unique<llamavisor::testing::UnixClient>(rig.socket);
    }
    followers.back()->send("GET /v1/logs?follow=1 HTTP/1.1\r\n\r\n");
  }
  const Captured done = LiveRig::run({"logs"});
  CHECK(done.code == 1);
  CHECK(done.out.empty());
  CHECK_THAT(done.err, ContainsSubstring("too many connections"));
}

TEST_CASE("config set writes the file that it names and config check reads it") {
  const CliRig rig;
  const std::string file = rig.tree.root() + "/c.toml";
  CHECK_THAT(CliRig::run({"config", "set", "memory.limit", "6GB", "--config", file}).out,
             ContainsSubstring("with llamavisor reload"));
  CHECK_THAT(CliRig::run({"config", "set", "server.num_parallel", "2", "--config", file}).out,
             ContainsSubstring("after a restart"));
  CHECK(CliRig::run({"config", "check", file}).code == 0);
  rig.tree.write("c.toml", "[memory]\nlimti = 1\nlimit = 2\n");
  const Captured check = CliRig::run({"config", "check", file});
  CHECK(check.code == 2);
  CHECK_THAT(check.err,
             ContainsSubstring(file + ":2:9: memory.limti: unknown key; did you mean memory.limit?\n"));
  CHECK_THAT(check.err, ContainsSubstring(file + ":3:9: memory.limit: expected a size"));
  CHECK(CliRig::run({"config", "set", "memory.limit", "6GB", "--config", file}).code == 2);
}

TEST_CASE("config check warns of a quantised cache without flash attention") {
  CliRig rig;
  const std::string file = rig.tree.root() + "/c.toml";
  rig.tree.write("c.toml", "server.kv_cache_type = \"q8_0\"\n");
  CHECK(CliRig::run({"config", "check", file}).err.empty());  // the profile has flash attention on
  rig.environment.set("OLLAMA_FLASH_ATTENTION", "0");
  const Captured off = CliRig::run({"config", "check", file});
  CHECK(off.code == 0);
  CHECK_THAT(off.err,
             ContainsSubstring("warning: with OLLAMA_KV_CACHE_TYPE=q8_0 and OLLAMA_FLASH_ATTENTION=0"));
  rig.environment.set("OLLAMA_FLASH_ATTENTION", std::nullopt);
  rig.tree.write("c.toml", "server.kv_cache_type = \"q4_0\"\nserver.env.OLLAMA_FLASH_ATTENTION = \"0\"\n");
  CHECK_THAT(CliRig::run({"config", "check", file}).err, ContainsSubstring("OLLAMA_KV_CACHE_TYPE=q4_0"));
  rig.tree.write("c.toml", "server.kv_cache_type = \"q8_0\"\nserver.flash_attention = false\n");
  CHECK_THAT(CliRig::run({"config", "check", file}).err, ContainsSubstring("before Ollama 0.30"));
}

TEST_CASE("a profile is saved for the next start when no supervisor runs") {
  const CliRig rig;
  CHECK(CliRig::run({"profile", "use", "server"}).code == 0);
  const std::string saved = rig.tree.root() + "/.local/state/llamavisor/overrides.toml";
  CHECK_THAT(*read_file(saved, 1000), ContainsSubstring("profile = \"server\""));
  rig.tree.write(".config/llamavisor/llamavisor.toml", "[memory]\nlimti = 1\n");
  const Captured broken = CliRig::run({"profile", "use", "laptop"});
  CHECK(broken.code == 2);
  CHECK_THAT(broken.err, ContainsSubstring("llamavisor.toml:2:9: memory.limti"));
}
