#include "simulate/bound.h"

#include <map>
#include <random>
#include <set>

#include "simulate/make_trace.h"
#include "simulate/replay.h"
#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;

namespace {

int below(std::mt19937& dice, int n) {
  return static_cast<int>(dice() % static_cast<unsigned>(n));
}

// Small numbers, so that a part of a model that stays makes a difference.
Trace small_trace(std::mt19937& dice, int models, int requests) {
  Trace out;
  for (int i = 0; i < models; ++i) {
    const std::string name = "m" + std::to_string(i);
    out.models.push_back({name, (1 + dice() % 7) << 30U, std::chrono::seconds(1 + below(dice, 9)), name});
  }
  for (int i = 0; i < requests; ++i) {
    out.requests.push_back(
        {std::chrono::seconds(100 * i), 1s, std::nullopt, static_cast<std::uint32_t>(below(dice, models))});
  }
  return out;
}

std::uint64_t bytes_of(const Trace& trace, unsigned set) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < trace.models.size(); ++i) {
    sum += (set >> i & 1U) != 0 ? trace.models[i].bytes : 0;
  }
  return sum;
}

// Every schedule there is: after each request, every subset of what is resident may stay.
std::chrono::milliseconds cheapest_of_all(const Trace& trace, std::uint64_t limit) {
  std::map<unsigned, std::chrono::milliseconds> cost{{0U, 0ms}};
  for (const TraceRequest& request : trace.requests) {
    const TraceModel& model = trace.models[request.model];
    if (model.bytes > limit) {
      continue;
    }
    const unsigned bit = 1U << request.model;
    std::map<unsigned, std::chrono::milliseconds> next;
    for (const auto& [set, paid] : cost) {
      const auto now = paid + ((set & bit) != 0 ? 0ms : model.reload);
      for (unsigned stay = set;; stay = (stay - 1) & set) {
        if (bytes_of(trace, stay | bit) <= limit) {
          const auto it = next.try_emplace(stay | bit, now).first;
          it->second = std::min(it->second, now);
        }
        if (stay == 0) {
          break;
        }
      }
    }
    cost = std::move(next);
  }
  auto out = std::chrono::milliseconds::max();
  for (const auto& [set, paid] : cost) {
    out = std::min(out, paid);
  }
  return out;
}

}  // namespace

TEST_CASE("no schedule at all beats the offline bound, on 300 small traces searched exhaustively") {
  std::mt19937 dice(7);
  double bounds = 0;
  double optima = 0;
  for (int round = 0; round < 300; ++round) {
    const Trace trace = small_trace(dice, 3 + round % 4, 4 + round % 15);
    const std::uint64_t limit = (5 + dice() % 8) << 30U;
    const auto optimum = cheapest_of_all(trace, limit);
    const auto bound = least_reload(trace, limit, optimum);
    INFO("round " << round);
    REQUIRE(bound <= optimum);
    REQUIRE(least_reload(trace, limit, 10 * optimum) <= optimum);  // whatever is known beforehand
    bounds += static_cast<double>(bound.count());
    optima += static_cast<double>(optimum.count());
  }
  CHECK(bounds > 0.85 * optima);  // it says something: not far below what can be reached
}

TEST_CASE("the bound is exact where a part of a model is of no use") {
  // Belady's textbook case: equal sizes, room for two.
  Trace trace;
  for (const char* name : {"a", "b", "c"}) {
    trace.models.push_back({name, 1ULL << 30U, 2s, name});
  }
  std::uint32_t at = 0;
  for (const std::uint32_t model : {0U, 1U, 2U, 0U, 1U, 2U, 0U, 1U, 2U}) {
    trace.requests.push_back({std::chrono::seconds(++at), 0s, std::nullopt, model});
  }
  const auto optimum = cheapest_of_all(trace, 2ULL << 30U);
  CHECK(optimum == 12s);  // 3 first loads and 3 more
  CHECK(least_reload(trace, 2ULL << 30U, optimum) > optimum - 50ms);
}

TEST_CASE("no replay beats the exhaustive optimum, nor the bound") {
  std::mt19937 dice(11);
  for (int round = 0; round < 60; ++round) {
    Trace trace = small_trace(dice, 4 + round % 3, 18);
    for (TraceRequest& request : trace.requests) {
      request.at /= 1 + below(dice, 40);  // some come while others are answered or loaded
      request.service = std::chrono::seconds(below(dice, 20));
    }
    std::stable_sort(trace.requests.begin(), trace.requests.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    const std::uint64_t limit = (7 + dice() % 8) << 30U;
    const auto optimum = cheapest_of_all(trace, limit);
    for (const bool ollama : {false, true}) {
      ManualClock clock;
      const auto room = ollama ? make_ollama_room({}, {}) : make_policy_room(nullptr);
      const auto replayed = replay(trace, {.limit_bytes = limit}, clock, *room);
      REQUIRE(replayed);
      CHECK(replayed->reload >= optimum);
      CHECK(replayed->reload >= least_reload(trace, limit, replayed->reload));
      CHECK(replayed->peak_bytes <= limit);
      CHECK(replayed->requests + replayed->refused == trace.requests.size());
    }
  }
}

TEST_CASE("requests for models that are larger than the limit do not count in the bound") {
  Trace trace;
  trace.models.push_back({"big", 9ULL << 30U, 9s, "big"});
  trace.requests.push_back({0ms, 0ms, std::nullopt, 0});
  CHECK(least_reload(trace, 8ULL << 30U, 0ms) == 0ms);
  CHECK(least_reload(trace, 9ULL << 30U, 9s) >= 8999ms);
}
