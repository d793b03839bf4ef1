#include "config/editor.h"

#include <random>

#include "config/layers.h"
#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;

namespace {

// What set_config_key makes of a text; an error as its message.
std::string set(const std::string& text, const std::string& key, const std::string& value) {
  const auto done = set_config_key(text, key, value);
  return done ? *done : "error: " + done.error().text();
}

std::string removed(const std::string& text, const std::string& key) {
  const auto done = remove_config_key(text, key);
  return done ? *done : "error: " + done.error().text();
}

const std::string kMark = "\xef\xbb\xbf";

}  // namespace

TEST_CASE("a value is changed in its place and every other byte stays") {
  const std::string text =
      "# mine\n\n[memory]  # here\n\tlimit\t=  \"2GB\"   # zwei \xc3\xa4\nmin_available = \"1GB\"\n";
  CHECK(set(text, "memory.limit", "3GB") ==
        "# mine\n\n[memory]  # here\n\tlimit\t=  \"3GB\"   # zwei \xc3\xa4\nmin_available = \"1GB\"\n");
  CHECK(set("server.num_parallel = 1# c\n", "server.num_parallel", "22") == "server.num_parallel = 22# c\n");
  CHECK(set("[server]\nnum_parallel = 1", "server.num_parallel", "22") == "[server]\nnum_parallel = 22");
  CHECK(set("log.file = \"/\xc3\xa4\" # \xc3\x9f\n", "log.file", "/\xc3\xb6") ==
        "log.file = \"/\xc3\xb6\" # \xc3\x9f\n");
  CHECK(set("server = { models = \"/a\", num_parallel = 2 } # c\n", "server.models", "/b") ==
        "server = { models = \"/b\", num_parallel = 2 } # c\n");
}

TEST_CASE("values over several lines are changed whole") {
  CHECK(set("[policy]\nnotify = [ # why\n  \"a\", # one\n] # end\neviction = \"lru\"\n", "policy.notify",
            "[\"c\"]") == "[policy]\nnotify = [\"c\"] # end\neviction = \"lru\"\n");
  CHECK(set("log.file = \"\"\"a\nb\"\"\" # end\n", "log.file", "/x") == "log.file = \"/x\" # end\n");
  CHECK(set("log.file = '''a\n'b\n''' # end\n", "log.file", "/x") == "log.file = \"/x\" # end\n");
}

TEST_CASE("line ends and a byte order mark stay as they are, and new lines follow them") {
  CHECK(set("[memory]\r\nlimit = \"6GB\" # c\r\n", "memory.limit", "7GB") ==
        "[memory]\r\nlimit = \"7GB\" # c\r\n");
  CHECK(set("[memory]\r\nlimit = \"6GB\"\r\n", "memory.min_available", "1GB") ==
        "[memory]\r\nlimit = \"6GB\"\r\nmin_available = \"1GB\"\r\n");
  CHECK(set("[memory]\r\n", "log.level", "warn") == "[memory]\r\n\r\n[log]\r\nlevel = \"warn\"\r\n");
  CHECK(set(kMark + "memory.limit = \"6GB\"\n", "memory.limit", "7GB") == kMark + "memory.limit = \"7GB\"\n");
  CHECK(set(kMark + "[memory]\n", "profile", "laptop") == kMark + "profile = \"laptop\"\n[memory]\n");
}

TEST_CASE("a new key stands in its section, after the keys that are there") {
  CHECK(set("", "memory.limit", "6GB") == "[memory]\nlimit = \"6GB\"\n");
  CHECK(set("[memory] # m\n\n[log]\n", "memory.limit", "6GB") == "[memory] # m\nlimit = \"6GB\"\n\n[log]\n");
  CHECK(set("[memory]\nmin_available = \"1GB\" # c\n# end\n[log]\n", "memory.limit", "6GB") ==
        "[memory]\nmin_available = \"1GB\" # c\nlimit = \"6GB\"\n# end\n[log]\n");
  CHECK(set("[server]\nnum_parallel = 1", "server.models", "/m") ==
        "[server]\nnum_parallel = 1\nmodels = \"/m\"\n");
  CHECK(set("[log]\n", "profile", "laptop") == "profile = \"laptop\"\n[log]\n");
  CHECK(set("[models.\"b*\"]\npin = true\n", "models.\"a:7b\".pin", "true") ==
        "[models.\"b*\"]\npin = true\n\n[models.\"a:7b\"]\npin = true\n");
}

TEST_CASE("a new key never lands in a section below its own") {
  CHECK(set("[server.env]\nA = \"1\"\n", "server.models", "/m") ==
        "[server.env]\nA = \"1\"\n\n[server]\nmodels = \"/m\"\n");
  CHECK(set("[plugins.lru]\ngrace = \"1s\"\n", "plugins.dirs", "[\"/p\"]") ==
        "[plugins.lru]\ngrace = \"1s\"\n\n[plugins]\ndirs = [\"/p\"]\n");
}

TEST_CASE("a new key joins dotted keys and inline tables in their own way") {
  CHECK(set("memory.limit = \"6GB\"\n[log]\n", "memory.min_available", "1GB") ==
        "memory.limit = \"6GB\"\nmemory.min_available = \"1GB\"\n[log]\n");
  CHECK(set("[models]\na.pin = true\n", "models.a.num_ctx", "2048") ==
        "[models]\na.pin = true\na.num_ctx = 2048\n");
  CHECK(set("server = { models = \"/a\" } # c\n", "server.num_parallel", "2") ==
        "server = { models = \"/a\", num_parallel = 2 } # c\n");
  CHECK(set("[models]\na = {}\n", "models.a.pin", "true") == "[models]\na = { pin = true }\n");
  CHECK(set("server = { models = \"/a\" }\n", "server.env.A", "x") ==
        "server = { models = \"/a\", env.A = \"x\" }\n");
}

TEST_CASE("a word that is no TOML becomes a string, and only one value is taken") {
  CHECK(set("", "memory.limit", "60%") == "[memory]\nlimit = \"60%\"\n");
  CHECK(set("", "log.file", "C:\\\"x\"") == "[log]\nfile = \"C:\\\\\\\"x\\\"\"\n");
  CHECK(set("", "log.file", "a\r\x01z") == "[log]\nfile = \"a\\u000D\\u0001z\"\n");
  CHECK(set("", "server.flash_attention", " true ") == "[server]\nflash_attention = true\n");
  CHECK(set("memory.limit = \"1GB\" # c\n", "memory.limit", "\"2GB\" # mine") ==
        "memory.limit = \"2GB\" # c\n");
  const std::string two =
      set("[memory]\nlimit = \"1GB\"\n", "memory.limit", "\"2GB\"\nmin_available = \"3GB\"");
  CHECK_THAT(two, ContainsSubstring("error: the new text:2:9: memory.limit: expected a size"));
}

TEST_CASE("what the schema does not allow changes nothing and says why") {
  CHECK_THAT(set("", "memory.limti", "6GB"), ContainsSubstring("did you mean memory.limit?"));
  CHECK_THAT(set("", "memory.limit", "much"), ContainsSubstring("expected a size"));
  CHECK_THAT(set("[memory]\nx = 1\n", "memory.limit", "6GB"),
             ContainsSubstring("the new text:2:5: memory.x: unknown key"));
  CHECK_THAT(set("[memory\n", "memory.limit", "6GB"), ContainsSubstring("the new text:1:8: "));
  CHECK_THAT(set("[memory]\nlimit = \"6GB\"\n", "memory", "x"), ContainsSubstring("memory is a section"));
  CHECK_THAT(set("memory.limit = \"6GB\"\n", "memory.limit.x", "1"),
             ContainsSubstring("memory.limit.x cannot be set"));
  CHECK_THAT(set("", "log.file", "\xff"), ContainsSubstring("error: "));
  for (const char* key :
       {"", ".", "memory.", ".limit", "memory..limit", "models.\"a.pin", "models.\"\".pin"}) {
    CHECK_THAT(set("", key, "1"), ContainsSubstring("is not a key"));
  }
}

TEST_CASE("a key is removed with its line, and without it the text stays") {
  CHECK(removed("# a\n[memory]\nlimit = \"6GB\" # c\n# b\n", "memory.limit") == "# a\n[memory]\n# b\n");
  CHECK(removed("memory.limit = \"6GB\"\r\n[log]\r\n", "memory.limit") == "[log]\r\n");
  CHECK(removed("[policy]\nnotify = [\n \"a\",\n]\neviction = \"lru\"\n", "policy.notify") ==
        "[policy]\neviction = \"lru\"\n");
  CHECK(removed("[log]\n", "memory.limit") == "[log]\n");
  CHECK(removed("[memory]\nlimit = \"6GB\"", "memory.limit") == "[memory]\n");
  CHECK(removed(kMark + "memory.limit = \"6GB\"\n", "memory.limit") == kMark);
}

TEST_CASE("a removal that would take more with it is refused") {
  CHECK_THAT(removed("models = { a = { pin = true, num_ctx = 1 } }\n", "models.a.pin"),
             ContainsSubstring("without changing more"));
  CHECK_THAT(removed("server = { models = \"/a\", num_parallel = 2 }\n", "server.models"),
             ContainsSubstring("error: "));
  CHECK_THAT(removed("[memory]\nlimit = \"6GB\"\n", "memory"), ContainsSubstring("error: "));
}

namespace {

// A file of random sections, spellings, comments and line ends, all of it valid.
struct RandomFile {
  std::mt19937 random;
  std::string end;

  std::string one_of(const std::vector<std::string>& choices) { return choices[random() % choices.size()]; }
  std::string comment() { return one_of({"", "", " # c", "  # \xc3\xa4 = \"x\" [y]", " #"}); }
  std::string text_value() {
    return one_of({"\"/a b\"", "'/c\\d'", "\"\\\"q\\\" # no\"", "\"\"\"x\"\"y\"\"\"", "'''l" + end + "m'''",
                   "\"\xf0\x9f\xa6\x99\"", "\"\\u00e4\""});
  }
  std::string line(const std::string& key, const std::string& value) {
    return one_of({"", "  ", "\t"}) + key + one_of({" = ", "=", "\t=  "}) + value + comment() + end;
  }
  std::string list() {
    return one_of(
        {"[]", "[\"a\"]", "[ 'a', \"b\" ]", "[" + end + "  \"a\", # one" + end + "  \"b\"," + end + "]"});
  }
  std::string noise() {
    return one_of({"", "", end, "# " + one_of({"a", "[memory]", "limit = 3", "\xe2\x82\xac"}) + end});
  }

  std::string server() {
    const std::string keys =
        line("models", text_value()) + noise() + line("num_parallel", one_of({"1", "+3", "0x10", "1_0"}));
    return one_of({"[server]" + comment() + end + keys,
                   "[server]" + end + "[server.env]" + end + line("A", text_value()),
                   "[server.env]" + comment() + end + line("\"B.c\"", text_value()),
                   "[ server ]" + end + line("env.A", text_value()), ""});
  }
  std::string models() {
    return one_of({"[models.\"a*\"]" + end + line("pin", "true"),
                   "[models]" + end + line("'b:1'", "{ pin = true }"),
                   "[models]" + end + line("c.num_ctx", "2048"), ""});
  }
  std::string text() {
    std::string out = one_of({"", kMark}) + noise() + one_of({"", line("profile", "\"laptop\"")}) +
                      one_of({"", line("memory.limit", "\"6GB\""), line("memory", "{ limit = '6GB' }")});
    std::vector<std::string> sections{server(), models(),
                                      one_of({"", "[policy]" + end + line("notify", list())}),
                                      one_of({"", "[log]" + comment() + end + line("file", text_value())})};
    std::shuffle(sections.begin(), sections.end(), random);
    for (const std::string& section : sections) {
      out += noise() + section;
    }
    return out + noise();
  }
};

bool same_but(const ConfigResult& before, const ConfigResult& after, const std::string& key) {
  auto values = after.values;
  values.erase(key);
  for (const auto& [name, value] : before.values) {
    if (name != key && (!values.contains(name) || values.at(name).value != value.value)) {
      return false;
    }
  }
  return values.size() == before.values.size() - before.values.count(key);
}

}  // namespace

TEST_CASE("in many files a set value is read back, all else stays, and it can be set back or removed") {
  const std::vector<std::pair<std::string, std::string>> changes{{"memory.limit", "\"9GB\""},
                                                                 {"memory.min_available", "\"2GB\""},
                                                                 {"server.models", "\"/n \\\"q\\\"\""},
                                                                 {"server.num_parallel", "9"},
                                                                 {"server.env.A", "\"z\""},
                                                                 {"server.env.NEW", "\"z\""},
                                                                 {"policy.notify", "[\"x\", \"y\"]"},
                                                                 {"policy.eviction", "\"largest\""},
                                                                 {"log.file", "\"/\xc3\xa4\""},
                                                                 {"models.\"a*\".pin", "false"},
                                                                 {"models.\"n:1\".num_ctx", "77"},
                                                                 {"gateway.listen", "\":1\""}};
  for (unsigned seed = 0; seed < 400; ++seed) {
    RandomFile file{std::mt19937(seed), seed % 3 == 0 ? "\r\n" : "\n"};
    const std::string text = file.text();
    INFO(seed << ":\n" << text);
    const ConfigResult before = load_layers({{"/a", text}});
    REQUIRE(before.errors.empty());
    for (const auto& [key, value] : changes) {
      INFO(key);
      const auto changed = set_config_key(text, key, value);
      REQUIRE(changed);
      const ConfigResult after = load_layers({{"/a", *changed}});
      CHECK(after.values.at(key).value == value);
      CHECK(same_but(before, after, key));
      CHECK(*set_config_key(*changed, key, value) == *changed);
      const bool was_there = before.values.contains(key) && before.values.at(key).origin != "default";
      if (!was_there) {
        const auto without = remove_config_key(*changed, key);
        CHECK((without.has_error() || same_but(before, load_layers({{"/a", *without}}), key)));
      } else if (before.values.at(key).value.find("\\n") == std::string::npos) {
        CHECK(load_layers({{"/a", *set_config_key(*changed, key, before.values.at(key).value)}})
                  .values.at(key)
                  .value == before.values.at(key).value);
      }
    }
  }
}
