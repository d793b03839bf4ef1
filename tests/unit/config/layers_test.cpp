#include "config/layers.h"

#include <algorithm>

#include "support/catch.h"

using namespace llamavisor;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> mistakes(const std::string& text) {
  return load_layers({{"/f.toml", text}}).errors;
}

std::string only_mistake(const std::string& text) {
  const auto errors = mistakes(text);
  return errors.size() == 1 ? errors.front() : std::to_string(errors.size()) + " mistakes in: " + text;
}

}  // namespace

TEST_CASE("without a layer each key has its default") {
  const ConfigResult read = load_layers({});
  CHECK(read.settings == Settings{});
  CHECK(read.errors.empty());
  CHECK(read.values.size() == config_keys().size());
  CHECK(read.values.at("memory.limit").value == "\"auto\"");
  CHECK(read.values.at("memory.limit").origin == "default");
}

TEST_CASE("a syntax error names file, line and column") {
  CHECK_THAT(only_mistake("[memory]\nlimit = \"6GB\nx = 1\n"), ContainsSubstring("/f.toml:2:"));
  CHECK_THAT(only_mistake("[memory\n"), ContainsSubstring("/f.toml:1:8: "));
  CHECK_THAT(only_mistake("# \xff\n"), ContainsSubstring("/f.toml:1:"));
  CHECK_THAT(only_mistake(std::string("a\0b", 3)), ContainsSubstring("/f.toml:1:"));
  CHECK_THAT(only_mistake("[memory]\nlimit = \"6GB\"\n[memory]\nlimit = \"7GB\"\n"),
             ContainsSubstring("/f.toml:3:"));
}

TEST_CASE("an unknown key names its place and the key that was meant") {
  CHECK(only_mistake("[memory]\nlimit = \"6GB\"\n  limti = 3\n") ==
        "/f.toml:3:11: memory.limti: unknown key; did you mean memory.limit?");
  CHECK(only_mistake("[gatewya]\nx = 1\n") == "/f.toml:1:1: gatewya: unknown section; did you mean gateway?");
  CHECK(only_mistake("profil = \"laptop\"\n") == "/f.toml:1:10: profil: unknown key; did you mean profile?");
  CHECK(only_mistake("[models.\"a*\"]\npinn = true\n") ==
        "/f.toml:2:8: models.\"a*\".pinn: unknown key; did you mean pin?");
  CHECK(only_mistake("[memory]\nqqqqqqqqq = 3\n") == "/f.toml:2:13: memory.qqqqqqqqq: unknown key");
}

TEST_CASE("a wrong type or range is told in words, with what was found") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"memory.limit = 12",
       "memory.limit: expected a size such as \"12GB\", a percentage such as \"60%\" or \"auto\", found 12"},
      {"server.num_parallel = 0", "server.num_parallel: expected a whole number from 1 to 256, found 0"},
      {"server.num_parallel = 2.5", "server.num_parallel: expected a whole number from 1 to 256, found 2.5"},
      {"server.num_parallel = \"2\"",
       "server.num_parallel: expected a whole number from 1 to 256, found \"2\""},
      {"server.unload_on_stop = 1", "server.unload_on_stop: expected true or false, found 1"},
      {"monitor.interval = \"10ms\"",
       "monitor.interval: expected a duration such as \"30s\", at least 1 s, found \"10ms\""},
      {"monitor.interval = 30",
       "monitor.interval: expected a duration such as \"30s\", at least 1 s, found 30"},
      {"memory.admission_wait = \"-5s\"",
       "memory.admission_wait: expected a duration such as \"30s\", found \"-5s\""},
      {"memory.min_available = \"12XB\"",
       "memory.min_available: expected a size such as \"512MB\", found \"12XB\""},
      {"memory.psi_full_percent = 101",
       "memory.psi_full_percent: expected a number from 0 to 100, found 101"},
      {"memory.psi_full_percent = nan",
       "memory.psi_full_percent: expected a number from 0 to 100, found nan"},
      {"server.kv_cache_type = \"q5\"",
       "server.kv_cache_type: expected one of \"\", \"f16\", \"q8_0\", \"q4_0\", found \"q5\""},
      {"policy.notify = \"desktop\"", "policy.notify: expected a list of strings, found \"desktop\""},
      {"policy.notify = [1]", "policy.notify: expected a list of plugins"},
      {"server.models = 1979-05-27", "server.models: expected a path"},
      {"server.keep_alive = \"-x\"",
       "server.keep_alive: expected a duration such as \"5m\", or \"-1\" for ever, found \"-x\""},
      {"notify.events = [\"evicton\"]",
       "notify.events: \"evicton\" is not a kind of event; did you mean eviction?"},
      {"server.env = 5", "server.env: expected a table: [server.env]"},
      {"server.env.A = 5", "server.env.A: expected a string"},
      {"models.a = 5", "models.a: expected a table: [models.\"name\"]"},
      {"models.a.num_ctx = 0", "models.\"a\".num_ctx: expected a whole number of at least 1, found 0"},
      {"plugins.lru = 5", "plugins.lru: expected a table: [plugins.name]"},
      {"plugins.lru.x = [1, 2]",
       "plugins.lru.x: expected a string, number, true or false, or a list of strings"},
      {"profile = 5", "profile: expected a string"},
  };
  for (const auto& [text, words] : cases) {
    const std::string found = only_mistake(text);
    CHECK(found.substr(std::min(found.size(), found.find(": ") + 2)) == words);
    CHECK(found.starts_with("/f.toml:1:"));
  }
}

TEST_CASE("all mistakes of all layers are told, and what is right is taken over") {
  const ConfigResult read =
      load_layers({{"/a", "[memory]\nlimit = 1\nmin_available = \"1GB\"\nx = 1\n"}, {"/b", "["}});
  REQUIRE(read.errors.size() == 3);
  CHECK(read.errors[0].starts_with("/a:2:9: "));
  CHECK(read.errors[1].starts_with("/a:4:5: "));
  CHECK(read.errors[2].starts_with("/b:1:"));
  CHECK(read.settings.memory.min_available_bytes == 1ULL << 30U);
}

TEST_CASE("the stronger layer wins and each value names its origin") {
  std::vector<ConfigLayer> layers;
  for (const char* origin :
       {"profile laptop", "/etc/l.toml", "/home/l.toml", "/state/o.toml", "environment", "flag"}) {
    layers.push_back({origin, "\n[memory]\nlimit = \"" + std::to_string(layers.size() + 1) + "GB\"\n"});
    const ConfigResult read = load_layers(layers);
    CHECK(read.settings.memory.limit.bytes == layers.size() << 30U);
    CHECK(read.values.at("memory.limit").value == "\"" + std::to_string(layers.size()) + "GB\"");
    const bool file = layers.back().origin.starts_with('/');
    CHECK(read.values.at("memory.limit").origin == layers.back().origin + (file ? ":3" : ""));
  }
}

TEST_CASE("a layer changes only the keys that it names") {
  const ConfigResult read =
      load_layers({{"/a", "server.num_parallel = 4\nserver.env.A = \"1\"\nserver.env.B = \"1\"\n"},
                   {"/b", "server.models = \"/m\"\nserver.env.B = \"2\"\n"}});
  CHECK(read.settings.server.num_parallel == 4);
  CHECK(read.settings.server.models == "/m");
  CHECK(read.settings.server.env == std::map<std::string, std::string>{{"A", "1"}, {"B", "2"}});
  CHECK(read.values.at("server.env.A").origin == "/a:2");
  CHECK(read.values.at("server.env.B").origin == "/b:2");
}

TEST_CASE("a file with a byte order mark and with CRLF line ends reads as any other") {
  const ConfigResult read = load_layers({{"/a", "\xef\xbb\xbf[memory]\r\nlimit = \"6GB\"\r\n"}});
  CHECK(read.errors.empty());
  CHECK(read.settings.memory.limit.bytes == 6ULL << 30U);
  CHECK(read.values.at("memory.limit").origin == "/a:2");
}

TEST_CASE("plugin keys keep their types and are left to the plugin") {
  const ConfigResult read = load_layers(
      {{"/a",
        "[plugins]\ndirs = [\"/p\"]\n[plugins.x]\na = 1\nb = 1.0\nc = \"1\"\nd = true\ne = [\"f\"]\n"}});
  CHECK(read.errors.empty());
  CHECK(read.settings.plugin_dirs == std::vector<std::string>{"/p"});
  const auto& values = read.settings.plugins.at("x");
  CHECK(values.at("a") == PluginValue(std::int64_t{1}));
  CHECK(values.at("b") == PluginValue(1.0));
  CHECK(values.at("c") == PluginValue(std::string("1")));
  CHECK(values.at("d") == PluginValue(true));
  CHECK(values.at("e") == PluginValue(std::vector<std::string>{"f"}));
  CHECK(read.values.at("plugins.x.b").value == "1.0");
}

TEST_CASE("a damaged or huge text costs a bounded number of short messages") {
  std::string deep;
  std::string many;
  for (int i = 0; i < 100'000; ++i) {
    deep += "a.";
    many += "a" + std::to_string(i) + " = 1\n";
  }
  const std::string brackets(100'000, '[');
  const std::string long_text(900'000, 'y');
  for (const std::string& text :
       {deep + "a = 1\n", "[" + deep + "a]\n", "x = { " + deep + "a = 1 }\n", "x = " + brackets,
        brackets + "\n", many, "[memory]\n" + many, "[memory]\nlimit = \"" + long_text + "\"\n",
        long_text + " = 1\n", "[memory]\n" + long_text + " = 1\n", "[models.\"" + long_text + "\"]\nx = 1\n",
        "notify.events = [\"" + long_text + "\"]\n", "[memory]\nlimit = " + long_text + "\n"}) {
    const auto errors = mistakes(text);
    CHECK(!errors.empty());
    CHECK(errors.size() <= 51);
    CHECK(std::all_of(errors.begin(), errors.end(), [](const std::string& e) { return e.size() < 400; }));
  }
  CHECK(mistakes(many).back() == "... and more");
}

TEST_CASE("every cut and every changed byte of a good file is read without harm") {
  const std::string good =
      "profile = \"laptop\"\n[memory]\nlimit = \"6GB\" # six\n[server.env]\nA = "
      "'''x\ny'''\n[models.\"a*\"]\npin = true\n"
      "[plugins.x]\nl = [\"a\", \"b\"]\nt = { u = 1.5 }\n";
  for (std::size_t i = 0; i < good.size(); ++i) {
    mistakes(good.substr(0, i));
    for (const char c : {'\0', '\xff', '"', '[', '}', '\n', '.'}) {
      std::string damaged = good;
      damaged[i] = c;
      for (const std::string& error : mistakes(damaged)) {
        CHECK(error.starts_with("/f.toml:"));
      }
    }
  }
}

TEST_CASE("many dots in values and comments are not keys of many parts") {
  const std::string dots(100, '.');
  CHECK(mistakes("# " + dots + "\nserver.models = \"" + dots + "\\\"" + dots + "\" # " + dots +
                 "\nlog.file = '" + dots + "'\n")
            .empty());
}

TEST_CASE("the name of the profile is read from a text, and from a broken one nothing") {
  CHECK(top_level_text("profile = \"desktop\"\n[x]\ny = 1\n", "profile") == "desktop");
  CHECK(top_level_text("profile = 5\n", "profile").empty());
  CHECK(top_level_text("[memory]\nprofile = \"x\"\n", "profile").empty());
  CHECK(top_level_text("profile = \"desktop\"\n[", "profile").empty());
}

TEST_CASE("a difference is told apart by what applies live and what waits for a restart") {
  const auto before =
      load_layers({{"/a", "server.num_parallel = 2\nmodels.a.pin = true\nserver.env.A = \"1\"\n"}});
  const auto after = load_layers(
      {{"/a",
        "\nserver.num_parallel = 4\nmemory.limit = \"1GB\"\nserver.env.A = \"2\"\nplugins.lru.x = 1\n"}});
  const ConfigDiff found = diff(before, after);
  CHECK(found.applied == std::vector<std::string>{"memory.limit", "models.\"a\".pin", "plugins.lru.x"});
  CHECK(found.waits_for_restart == std::vector<std::string>{"server.env.A", "server.num_parallel"});
  CHECK(diff(after, after).applied.empty());
  CHECK(diff(after, load_layers({{"/b",
                                  "\n\n\nserver.num_parallel = 4\nmemory.limit = \"1GB\"\nserver.env.A = "
                                  "\"2\"\nplugins.lru.x = 1\n"}}))
            .applied.empty());
}
