#include "config/schema.h"

#include <set>

#include "config/layers.h"
#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kGiB = 1ULL << 30U;

}  // namespace

TEST_CASE("a limit is a size, a percentage or auto") {
  CHECK(parse_limit("12GB")->bytes == 12 * kGiB);
  CHECK(parse_limit("1.5 gb")->bytes == kGiB * 3 / 2);
  CHECK(parse_limit("1048576")->bytes == 1ULL << 20U);
  CHECK(parse_limit("60%")->percent == 60);
  CHECK(parse_limit("12.5%")->percent == 12.5);
  CHECK(parse_limit("100%")->kind == LimitSpec::Kind::percent);
  CHECK(parse_limit("auto")->kind == LimitSpec::Kind::automatic);
}

TEST_CASE("a limit that makes no sense is refused in words") {
  for (const char* text :
       {"",      "%",     "0",    "0GB",  "12",  "1023KB", "-1GB",          "GB",     "12 G B", "1 2GB",
        "12GBs", "1e3GB", "0%",   "101%", "-5%", "nan%",   "inf%",          "0x10%",  " 50%",   "60 %",
        "60%%",  "6O%",   "Auto", "nan",  "inf", "infGB",  "99999999999TB", "12GB\n", "zwölf"}) {
    const auto limit = parse_limit(text);
    REQUIRE(limit.has_error());
    CHECK(limit.error().message.starts_with("\"" + std::string(text) + "\" is not a "));
  }
}

TEST_CASE("a limit in bytes stands, a percentage is of the machine, auto leaves a gigabyte") {
  CHECK(resolve_limit(*parse_limit("12GB"), kGiB) == 12 * kGiB);
  CHECK(resolve_limit(*parse_limit("25%"), 8 * kGiB) == 2 * kGiB);
  CHECK(resolve_limit(*parse_limit("auto"), 10 * kGiB) == 6 * kGiB);
  CHECK(resolve_limit(*parse_limit("auto"), kGiB * 9 / 4) == kGiB * 5 / 4);
  CHECK(resolve_limit(*parse_limit("auto"), 0) == 0);
  CHECK(resolve_limit(*parse_limit("100%"), 1ULL << 50U) == 1ULL << 50U);
}

TEST_CASE("keep_alive is a duration, seconds, or for ever when negative") {
  CHECK(*parse_keep_alive(std::string("5m")) == KeepAlive{5min, false});
  CHECK(*parse_keep_alive(std::int64_t{90}) == KeepAlive{90s, false});
  CHECK(*parse_keep_alive(std::string("0")) == KeepAlive{0ms, false});
  CHECK(*parse_keep_alive(std::string("-1")) == KeepAlive{0ms, true});
  CHECK(*parse_keep_alive(std::string("-5m")) == KeepAlive{0ms, true});
  CHECK(*parse_keep_alive(std::int64_t{-1}) == KeepAlive{0ms, true});
  for (const ConfigValue& nonsense :
       {ConfigValue(std::string("")), ConfigValue(std::string("-")), ConfigValue(std::string("-soon")),
        ConfigValue(std::string("--1")), ConfigValue(std::string("later")), ConfigValue(true),
        ConfigValue(1.5), ConfigValue(std::int64_t{9'223'372'036'854'775'807}),
        ConfigValue(std::vector<std::string>{"5m"})}) {
    CHECK(parse_keep_alive(nonsense).has_error());
  }
}

TEST_CASE("whatever a value holds, its TOML reads as the same value") {
  const std::string all_bytes = [] {
    std::string out;
    for (char c = 1; c < 127; ++c) {
      out += c;
    }
    return out + "\x7f\xc3\xa4\xf0\x9f\xa6\x99";
  }();
  for (const ConfigValue& value :
       {ConfigValue(true), ConfigValue(false), ConfigValue(std::int64_t{-9'000'000'000'000}),
        ConfigValue(0.1), ConfigValue(3.0), ConfigValue(1e300), ConfigValue(-1e-9), ConfigValue(1.0 / 3),
        ConfigValue(std::string()), ConfigValue(all_bytes), ConfigValue(std::string("a\"b\\c\nd\te\r\n")),
        ConfigValue(std::vector<std::string>{}), ConfigValue(std::vector<std::string>{"a", all_bytes, ""})}) {
    const auto read = load_layers({{"/a", "plugins.x.y = " + to_toml(value) + "\n"}});
    INFO(to_toml(value));
    REQUIRE(read.errors.empty());
    CHECK(read.settings.plugins.at("x").at("y") == value);
  }
}

TEST_CASE("every key is named once, described, and its default is a value of its type") {
  std::set<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    INFO(key.name);
    CHECK(names.insert(key.name).second);
    CHECK(key.help.ends_with('.'));
    CHECK(!key.type.empty());
    CHECK(find_config_key(key.name) == &key);
    const auto read = load_layers({{"/a", key.name + " = " + key.default_value + "\n"}});
    CHECK(read.errors.empty());
    CHECK(read.settings == Settings{});
    CHECK(read.values.at(key.name).value == key.default_value);
  }
  CHECK(config_key_names().size() == names.size());
  CHECK(find_config_key("memory.limt") == nullptr);
}

TEST_CASE("every key reaches the settings") {
  const ConfigValue other_values[] = {ConfigValue(true),
                                      ConfigValue(false),
                                      ConfigValue(std::int64_t{7}),
                                      ConfigValue(std::string("77%")),
                                      ConfigValue(std::string("77MB")),
                                      ConfigValue(std::string("77s")),
                                      ConfigValue(std::string("q8_0")),
                                      ConfigValue(std::string("warn")),
                                      ConfigValue(std::string("error")),
                                      ConfigValue(std::string("/x")),
                                      ConfigValue(std::vector<std::string>{"refusal"})};
  for (const ConfigKey& key : config_keys()) {
    bool changed = false;
    for (const ConfigValue& value : other_values) {
      Settings settings;
      changed = changed || (key.set(settings, value).has_value() && !(settings == Settings{}));
    }
    INFO(key.name);
    CHECK(changed);
  }
}
