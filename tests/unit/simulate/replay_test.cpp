#include "simulate/replay.h"

#include <sstream>

#include "simulate/history_trace.h"
#include "simulate/make_trace.h"
#include "simulate/report.h"
#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kGiB = 1ULL << 30U;

// Models a, b, c ... of 1 GB each that load in 2 s.
Trace letters(const std::string& asked, std::chrono::milliseconds apart, std::chrono::milliseconds service) {
  Trace out;
  for (char name = 'a'; name <= 'e'; ++name) {
    out.models.push_back({std::string(1, name), kGiB, 2s, std::string(1, name)});
  }
  std::chrono::milliseconds at{0};
  for (const char name : asked) {
    out.requests.push_back({at, service, std::nullopt, static_cast<std::uint32_t>(name - 'a')});
    at += apart;
  }
  return out;
}

Replayed replayed(const Trace& trace, std::unique_ptr<Room> room, std::uint64_t limit_bytes,
                  std::chrono::milliseconds thrash_window = 0ms) {
  ManualClock clock;
  auto out = replay(trace, {.limit_bytes = limit_bytes, .thrash_window = thrash_window}, clock, *room);
  REQUIRE(out);
  return std::move(*out);
}
std::unique_ptr<Room> lru() {
  return make_policy_room(nullptr);
}
using Names = std::vector<std::string>;

class Failing final : public EvictionPolicy {
 public:
  [[nodiscard]] std::string id() const override { return "failing"; }
  void rank(const Snapshot& /*snapshot*/, std::uint64_t /*need*/, Done done) override {
    done(Error("no idea"));
  }
};

}  // namespace

TEST_CASE("a replay counts what is warm, what is loaded, and how long people wait") {
  const Replayed out = replayed(letters("aabca", 10s, 1s), lru(), 2 * kGiB);
  CHECK(out.requests == 5);
  CHECK(out.warm == 1);
  CHECK(out.loads == 4);
  CHECK(out.reload == 8s);
  CHECK(out.waited == 8s);
  CHECK(out.victims == Names{"a", "b"});
  CHECK(out.peak_bytes == 2 * kGiB);
}

TEST_CASE("requests that come while their model is loaded wait for the rest of it, and loads stand in line") {
  Trace trace = letters("aab", 500ms, 1s);
  const Replayed out = replayed(trace, lru(), 2 * kGiB);
  CHECK(out.loads == 2);
  CHECK(out.warm == 0);
  CHECK(out.waited == 2000ms + 1500ms + 3000ms);  // b is loaded from 2 s to 4 s
}

TEST_CASE("a busy model is waited for, and those behind wait as well") {
  const Replayed out = replayed(letters("ab", 5s, 60s), lru(), kGiB);
  CHECK(out.loads == 2);
  CHECK(out.waited == 2s + 57s + 2s);  // a is busy until 62 s
}

TEST_CASE("anti-thrash is the core's: what came back soon goes after the others") {
  const Trace trace = letters("abcacd", 20s, 1s);
  CHECK(replayed(trace, lru(), 2 * kGiB).victims == Names{"a", "b", "a"});
  CHECK(replayed(trace, lru(), 2 * kGiB, 10min).victims == Names{"a", "b", "c"});
}

TEST_CASE("a model that is larger than the limit is refused, and the rest goes on") {
  Trace trace = letters("aba", 10s, 1s);
  trace.models[1].bytes = 3 * kGiB;
  const Replayed out = replayed(trace, lru(), 2 * kGiB);
  CHECK(out.refused == 1);
  CHECK(out.requests == 2);
  CHECK(out.loads == 1);
}

TEST_CASE("a policy that fails ends its replay: the fallback's figures are not its own") {
  ManualClock clock;
  const auto room = make_policy_room(std::make_shared<Failing>());
  const auto out = replay(letters("abc", 10s, 1s), {.limit_bytes = kGiB}, clock, *room);
  REQUIRE_FALSE(out);
  CHECK(out.error().text().find("no idea") != std::string::npos);
}

TEST_CASE("Ollama's order: at most three models, the shortest keep_alive first, then the blob's path") {
  Trace trace = letters("dcbae", 10s, 1s);
  CHECK(replayed(trace, make_ollama_room({}, {}), 64 * kGiB).victims == Names{"b", "a"});
  trace.requests[0].keep_alive = 60s;
  trace.requests[1].keep_alive = -1ms;
  CHECK(replayed(trace, make_ollama_room({}, {}), 64 * kGiB).victims == Names{"d", "a"});
  const std::map<std::string, std::string> blobs{{"a", "9"}, {"b", "1"}, {"c", "5"}, {"d", "7"}};
  CHECK(replayed(letters("dcbae", 10s, 1s), make_ollama_room({}, blobs), 64 * kGiB).victims ==
        Names{"b", "c"});
}

TEST_CASE("Ollama's order: what is idle for its keep_alive goes, and memory is minded where it is checked") {
  CHECK(replayed(letters("aba", 4min, 1s), make_ollama_room({}, {}), 64 * kGiB).loads == 3);
  OllamaRules for_ever;
  for_ever.keep_alive = -1ms;
  CHECK(replayed(letters("aba", 4min, 1s), make_ollama_room(for_ever, {}), 64 * kGiB).loads == 2);
  CHECK(replayed(letters("abc", 10s, 1s), make_ollama_room({}, {}), 2 * kGiB).peak_bytes == 2 * kGiB);
  OllamaRules blind;
  blind.checks_memory = false;
  CHECK(replayed(letters("abc", 10s, 1s), make_ollama_room(blind, {}), 2 * kGiB).peak_bytes == 3 * kGiB);
}

TEST_CASE("a made trace is the same for the same seed, and as long as it was asked to be") {
  for (const char* kind : kTraceKinds) {
    const auto one = make_trace(kind, 3, 500);
    const auto two = make_trace(kind, 3, 500);
    const auto other = make_trace(kind, 4, 500);
    REQUIRE((one && two && other));
    std::ostringstream a;
    std::ostringstream b;
    std::ostringstream c;
    write_trace(*one, a);
    write_trace(*two, b);
    write_trace(*other, c);
    CHECK(one->requests.size() == 500);
    CHECK(a.str() == b.str());
    CHECK(a.str() != c.str());
  }
  CHECK_FALSE(make_trace("chaos", 1));
}

TEST_CASE("a trace is read as it was written; a line that is wrong is named") {
  auto trace = make_trace("rag", 1, 50);
  REQUIRE(trace);
  trace->requests[7].keep_alive = -1ms;
  std::stringstream text;
  write_trace(*trace, text);
  const auto read = read_trace(text);
  REQUIRE(read);
  std::ostringstream again;
  write_trace(*read, again);
  CHECK(again.str() == text.str());
  for (const char* wrong :
       {"no json", "{}", R"({"model":"a","bytes":0,"reload_ms":1})",
        R"({"use":"z","at_ms":1,"service_ms":1})", R"({"use":"a","at_ms":-1,"service_ms":1})",
        R"({"model":"a","bytes":1,"reload_ms":1})", R"({"use":"a","at_ms":1,"service_ms":99999999999})"}) {
    std::istringstream in(std::string(R"({"model":"a","bytes":1,"reload_ms":1})") + "\n" + wrong + "\n");
    const auto bad = read_trace(in);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().text().find("line 2") == 0);
  }
}

TEST_CASE("the history as a trace: the last size, the mean load, and nothing for what was never measured") {
  const WallTime now = WallTime{} + 1000s;
  const RecordedTrace out =
      trace_of({{now, "a", 300ms, {}, {}}, {now + 1s, "b", 1s, {}, {}}, {now + 2s, "a", -5ms, {}, {}}},
               {{now, "a", "sha256:7", kGiB, 4s}, {now, "a", "sha256:7", 2 * kGiB, 6s}});
  CHECK(out.left_out == 1);
  REQUIRE(out.trace.models.size() == 1);
  CHECK(out.trace.models[0].bytes == 2 * kGiB);
  CHECK(out.trace.models[0].reload == 5s);
  CHECK(out.trace.models[0].blob == "sha256:7");
  REQUIRE(out.trace.requests.size() == 2);
  CHECK(out.trace.requests[0].at == 1000s);
  CHECK(out.trace.requests[1].service == 0ms);
}

TEST_CASE("the chart has a bar for each policy and limit, and names that cannot break it") {
  StudyResult result;
  for (const char* policy : {"lru", "a<b&c"}) {
    result.rows.push_back({policy, kGiB, {}});
    result.rows.back().result.reload = 10s;
  }
  result.bounds.push_back({kGiB, 5s});
  const std::string svg = study_svg("x", result);
  CHECK(svg.find("a&lt;b&amp;c") != std::string::npos);
  CHECK(svg.find("1.00 GB") != std::string::npos);
  std::size_t bars = 0;
  for (std::size_t at = svg.find("<rect"); at != std::string::npos; at = svg.find("<rect", at + 1)) {
    ++bars;
  }
  CHECK(bars == 4);  // two bars, two fields of the legend
  CHECK(study_rows(result)[2][5] == "2.00");
}
