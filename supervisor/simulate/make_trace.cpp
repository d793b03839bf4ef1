#include "simulate/make_trace.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace llamavisor {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr double kMonday = 1704067200;  // 2024-01-01 00:00 UTC, seconds since 1970
constexpr double kDay = 86400;

// The standard's distributions differ between libraries; its engines do not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  double uniform() { return static_cast<double>(engine_() >> 11U) * 0x1.0p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  double exponential(double mean) { return -mean * std::log1p(-uniform()); }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(uniform() * static_cast<double>(n)); }
  bool chance(double p) { return uniform() < p; }
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[below(i)]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

std::chrono::milliseconds ms(double seconds) {
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

class Maker {
 public:
  Maker(std::uint64_t seed, std::size_t wanted) : dice(seed), wanted_(wanted) {}

  std::uint32_t model(const std::string& name, double gib) {
    out_.models.push_back(
        {name, static_cast<std::uint64_t>(gib * kGiB), ms(1 + gib / 1.2), stand_in_blob(name)});
    return static_cast<std::uint32_t>(out_.models.size() - 1);
  }
  void request(double at_s, std::uint32_t model, double service_s) {
    out_.requests.push_back({ms(kMonday + at_s), ms(service_s), std::nullopt, model});
  }
  [[nodiscard]] bool enough() const { return out_.requests.size() >= wanted_; }
  // One that has made more than was wanted ends with its earliest requests.
  Trace take() {
    std::stable_sort(out_.requests.begin(), out_.requests.end(),
                     [](const TraceRequest& a, const TraceRequest& b) { return a.at < b.at; });
    out_.requests.resize(std::min(out_.requests.size(), wanted_));
    return std::move(out_);
  }

  Dice dice;

 private:
  std::size_t wanted_;
  Trace out_;
};

Trace zipf(Maker make) {
  constexpr int kModels = 20;
  std::vector<double> sizes;
  sizes.reserve(kModels);
  for (int i = 0; i < kModels; ++i) {
    sizes.push_back(0.5 * std::pow(16.0, i / (kModels - 1.0)));  // 0.5 to 8 GB, evenly by ratio
  }
  make.dice.shuffle(sizes);
  std::vector<double> up_to;
  for (int i = 0; i < kModels; ++i) {
    make.model("zipf-" + std::to_string(i + 1) + ":latest", sizes[static_cast<std::size_t>(i)]);
    up_to.push_back((up_to.empty() ? 0 : up_to.back()) + 1.0 / (i + 1));
  }
  for (double at = 0; !make.enough();) {
    at += make.dice.exponential(30);
    const auto pick =
        std::upper_bound(up_to.begin(), up_to.end() - 1, make.dice.uniform() * up_to.back()) - up_to.begin();
    make.request(at, static_cast<std::uint32_t>(pick), 0.5 + make.dice.exponential(5));
  }
  return make.take();
}

// One person's questions to a model or two: some in a row to one, thinking in between.
void session(Maker& make, double start, double end, std::uint32_t first, std::uint32_t second) {
  std::uint32_t now = first;
  double at = start;
  for (std::size_t left = 5 + make.dice.below(30); left > 0 && at < end; --left) {
    const double service = 1 + make.dice.exponential(8);
    make.request(at, now, service);
    at += service + 5 + make.dice.exponential(60);
    now = make.dice.chance(0.2) ? (now == first ? second : first) : now;
  }
}

Trace day(Maker make) {
  std::vector<std::uint32_t> models;
  const std::array<double, 12> sizes{0.6, 1.2, 1.9, 2.2, 2.8, 3.3, 4.1, 4.7, 5.2, 6.1, 7.0, 8.0};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    models.push_back(make.model("day-" + std::to_string(i + 1) + ":latest", sizes[i]));
  }
  make.dice.shuffle(models);
  // Favourites: the square of an even die lies near 0.
  const auto pick = [&] { return models[static_cast<std::size_t>(std::pow(make.dice.uniform(), 2) * 12)]; };
  for (int date = 0; !make.enough(); ++date) {
    for (double at = 9 * 3600; date % 7 < 5 && at < 18 * 3600;) {
      const std::uint32_t first = pick();
      session(make, date * kDay + at, date * kDay + 18 * 3600, first, pick());
      at += make.dice.exponential(900);
    }
  }
  return make.take();
}

Trace rag(Maker make) {
  const std::uint32_t embedder = make.model("rag-embedder:latest", 0.6);
  const std::array<std::uint32_t, 2> chats{make.model("rag-chat:latest", 5.2),
                                           make.model("rag-chat-long:latest", 7.3)};
  const std::uint32_t reranker = make.model("rag-reranker:latest", 1.1);
  const std::array<std::uint32_t, 3> others{make.model("rag-code:latest", 4.4),
                                            make.model("rag-title:latest", 0.9),
                                            make.model("rag-vision:latest", 6.6)};
  for (double at = 8 * 3600; !make.enough(); at += make.dice.exponential(40)) {
    make.request(at, embedder, make.dice.between(0.05, 0.4));
    if (make.dice.chance(0.3)) {
      make.request(at + 0.5, reranker, make.dice.between(0.2, 1));
    }
    make.request(at + 1.5, chats[make.dice.chance(0.15) ? 1 : 0], 1 + make.dice.exponential(6));
    if (make.dice.chance(0.12)) {
      make.request(at + 15, others[make.dice.below(3)], 1 + make.dice.exponential(5));
    }
  }
  return make.take();
}

Trace teams(Maker make) {
  std::array<std::vector<std::uint32_t>, 2> sets;
  const std::array<std::array<double, 4>, 2> sizes{{{1.0, 2.4, 4.4, 6.8}, {0.7, 3.1, 4.9, 7.6}}};
  for (std::size_t team = 0; team < 2; ++team) {
    for (std::size_t i = 0; i < 4; ++i) {
      sets[team].push_back(
          make.model((team == 0 ? "red-" : "blue-") + std::to_string(i + 1) + ":latest", sizes[team][i]));
    }
  }
  for (int date = 0; !make.enough(); ++date) {
    for (std::size_t team = 0; team < 2; ++team) {
      const double start = date * kDay + (team == 0 ? 7.0 : 11.0) * 3600;
      for (double at = start; at < start + 8 * 3600; at += make.dice.exponential(600)) {
        const auto& set = sets[team];
        session(make, at, start + 8 * 3600, set[make.dice.below(4)], set[make.dice.below(4)]);
      }
    }
  }
  return make.take();
}

}  // namespace

Result<Trace> make_trace(const std::string& kind, std::uint64_t seed, std::size_t requests) {
  Maker maker(seed, requests);
  if (kind == "zipf") {
    return zipf(std::move(maker));
  }
  if (kind == "day") {
    return day(std::move(maker));
  }
  if (kind == "rag") {
    return rag(std::move(maker));
  }
  if (kind == "teams") {
    return teams(std::move(maker));
  }
  return Error("no made trace is called " + kind, "zipf, day, rag or teams");
}

}  // namespace llamavisor
