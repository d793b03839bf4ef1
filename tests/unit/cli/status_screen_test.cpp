#include "cli/status_screen.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <sstream>

#include "support/catch.h"
#include "support/environment.h"

using namespace llamavisor;
namespace json = boost::json;
using llamavisor::testing::ScopedEnvironment;

namespace {

constexpr double kGiB = 1ULL << 30U;

json::object model(const std::string& name) {
  return {{"name", name},
          {"state", "ready"},
          {"forecast_bytes", 3.5 * kGiB},
          {"footprint_bytes", 3.2 * kGiB},
          {"num_ctx", 131072},
          {"in_flight", 0},
          {"pinned", false},
          {"idle_ms", 12 * 60'000}};
}

// As large as each value gets.
json::object busy_status() {
  json::object unloading = model("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M");
  unloading["state"] = "unloading";
  unloading["idle_ms"] = 86'399'000;
  unloading["pinned"] = true;
  json::object busy = model("qwen2.5-coder:7b");
  busy["in_flight"] = 128;
  return {{"version", "0.1.0"},
          {"pid", 1234567},
          {"uptime_ms", 86'399'000},
          {"listen", "192.168.100.200:11434"},
          {"profile", "workstation"},
          {"default_num_ctx", 131072},
          {"server", json::object{{"state", "starting"},
                                  {"pid", 1234568},
                                  {"version", "0.32.15"},
                                  {"uptime_ms", 86'399'000},
                                  {"restarts", 12}}},
          {"memory", json::object{{"total_bytes", 62.7 * kGiB}, {"available_bytes", 41.3 * kGiB}}},
          {"limit_bytes", 24 * kGiB},
          {"used_bytes", 23.9 * kGiB},
          {"footprint_bytes", 22.2 * kGiB},
          {"eviction_policy", "least_recently_used"},
          {"context_policy", "tier_context"},
          {"notifiers", json::array{json::object{{"id", "desktop"}, {"state", "failing"}},
                                    json::object{{"id", "command"}, {"state", "ok"}},
                                    json::object{{"id", "webhook"}, {"state", "failing"}}}},
          {"connections", 2048},
          {"waiting", 512},
          {"models", json::array{unloading, busy, model("tiny:latest")}},
          {"last_eviction", json::object{{"sentence",
                                          "Evicted llama3.2:3b because the budget of 24.0 GB was exceeded by "
                                          "1.20 GB; it was idle for 12 min and gave back 3.20 GB."}}},
          {"warnings", json::array{"notifier desktop: no session bus; start llamavisor in the desktop "
                                   "session or use the command notifier"}}};
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::size_t widest(const std::string& text) {
  std::istringstream lines(text);
  std::size_t out = 0;
  for (std::string line; std::getline(lines, line);) {
    out = std::max(out, characters(line));
  }
  return out;
}

}  // namespace

TEST_CASE("the status screen has what a person asks for") {
  const std::string screen = status_screen(busy_status(), {});
  for (const char* words :
       {"llamavisor 0.1.0", "pid 1234567",
        "Ollama 0.32.15, starting, pid 1234568, up 23 h 59 min, restarts 12", "192.168.100.200:11434",
        "profile workstation", "num_ctx 131072", "23.9 GB of 24.0 GB (nearly full)",
        "41.3 GB of 62.7 GB available", "least_recently_used", "desktop (failing)",
        "2048 connections, 512 waiting", "unloading", "busy (128)", "idle", "12 min", "now", "Last eviction",
        "Evicted llama3.2:3b because", "Warning: notifier desktop"}) {
    CHECK_THAT(screen, ContainsSubstring(words));
  }
}

TEST_CASE("the status screen fits 80 columns and 24 lines even when every value is large") {
  for (const bool unicode : {false, true}) {
    const std::string screen = status_screen(busy_status(), {false, unicode});
    CHECK(widest(screen) <= 80);
    CHECK(std::count(screen.begin(), screen.end(), '\n') <= 24);
  }
}

TEST_CASE("no line ends in blanks and nothing is coloured unless the terminal can") {
  const std::string plain = status_screen(busy_status(), {false, false});
  CHECK(plain.find(" \n") == std::string::npos);
  CHECK(plain.find('\x1b') == std::string::npos);
  CHECK(characters(plain) == plain.size());
  const std::string coloured = status_screen(busy_status(), {true, true});
  CHECK_THAT(coloured, ContainsSubstring("\x1b[33m"));
  CHECK_THAT(coloured, ContainsSubstring("\x1b[0m"));
  CHECK_THAT(coloured, ContainsSubstring("\u2588"));
}

TEST_CASE("what the supervisor does not know is a dash and not a zero") {
  const std::string empty = status_screen({}, {});
  CHECK_THAT(empty, ContainsSubstring("Ollama -, -"));
  CHECK_THAT(empty, ContainsSubstring("- of -"));
  CHECK_THAT(empty, ContainsSubstring("No model is loaded."));
  CHECK(empty.find("Last eviction") == std::string::npos);
  json::object nulls;
  for (const auto& entry : busy_status()) {
    nulls[entry.key()] = nullptr;
  }
  CHECK(status_screen(nulls, {}) == empty);
  CHECK(
      models_table({{"models", json::array{json::object{{"name", "a"}, {"pinned", nullptr}}}}}).find(" 0 ") ==
      std::string::npos);
}

TEST_CASE("the budget is told by a word as well as by a colour") {
  json::object status = busy_status();
  status["used_bytes"] = 25 * kGiB;
  CHECK_THAT(status_screen(status, {true, false}), ContainsSubstring("(over)"));
  CHECK_THAT(status_screen(status, {true, false}), ContainsSubstring("\x1b[31m"));
  status["used_bytes"] = 1 * kGiB;
  CHECK_THAT(status_screen(status, {}), ContainsSubstring("(ok)"));
  status["limit_bytes"] = 0;
  CHECK_THAT(status_screen(status, {}), ContainsSubstring("------------------------------"));
}

TEST_CASE("names of models are cut only as far as the line needs") {
  const std::string table = models_table(busy_status());
  CHECK(widest(table) <= 80);
  CHECK_THAT(table, ContainsSubstring("qwen2.5-coder:7b "));
  CHECK_THAT(table, ContainsSubstring("hf.co/bartowski/"));
  CHECK_THAT(table, ContainsSubstring("\ntiny "));
  const std::string name = "a-name-of-27-characters:123";
  CHECK_THAT(models_table({{"models", json::array{json::object{{"name", name}}}}}), ContainsSubstring(name));
}

TEST_CASE("columns are as wide as their widest character count, not byte count") {
  CHECK(table({{"a", "b"}, {"\xc3\xa4\xc3\xb6", "c"}, {"x"}}) == "a   b\n\xc3\xa4\xc3\xb6  c\nx\n");
  CHECK(table({}).empty());
  CHECK(table({{"a", ""}}) == "a\n");
}

TEST_CASE("lines are wrapped at blanks within the width") {
  CHECK(wrapped("one two three", 8, "") == "one two\nthree\n");
  CHECK(wrapped("one two three", 8, "  ") == "  one\n  two\n  three\n");
  CHECK(wrapped("a-word-that-is-longer b", 8, "") == "a-word-that-is-longer\nb\n");
  CHECK(wrapped("", 8, "") == "\n");
}

TEST_CASE("a bar is as full as the share, from empty to full") {
  const Terminal plain;
  CHECK(plain.bar(0, 4) == "----");
  CHECK(plain.bar(0.5, 4) == "##--");
  CHECK(plain.bar(1, 4) == "####");
  CHECK(plain.bar(7, 4) == "####");
  CHECK(plain.bar(-1, 4) == "----");
  CHECK(Terminal{false, true}.bar(0.5, 2) == "\u2588\u2591");
}

TEST_CASE("colour needs a terminal, and the locale says whether it can show blocks") {
  ScopedEnvironment environment;
  environment.set("NO_COLOR", std::nullopt);
  environment.set("TERM", "xterm");
  environment.set("LC_ALL", std::nullopt);
  environment.set("LC_CTYPE", std::nullopt);
  for (const auto& [lang, unicode] : std::vector<std::pair<std::string, bool>>{{"de_DE.UTF-8", true},
                                                                               {"C.utf8", true},
                                                                               {"en_US.utf-8", true},
                                                                               {"C", false},
                                                                               {"", false},
                                                                               {"de_DE.ISO-8859-1", false}}) {
    environment.set("LANG", lang);
    CHECK(Terminal::detect().unicode == unicode);
  }
  environment.set("LC_ALL", "C");
  environment.set("LANG", "C.UTF-8");
  CHECK_FALSE(Terminal::detect().unicode);
  CHECK(Terminal{true, false}.paint("x", "31") == "\x1b[31mx\x1b[0m");
  CHECK(Terminal{false, false}.paint("x", "31") == "x");
}
