#include "simulate/bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llamavisor {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr std::size_t kMaxSteps = 3000;
constexpr std::size_t kMaxWork = 100'000'000;  // steps x requests: a second or two

// A model's gap between two of its requests; it contains the places begin <= t < end.
struct Gap {
  std::size_t begin = 0;
  std::size_t end = 0;
  double gib = 0;
  double seconds = 0;
};

struct Problem {
  double first_loads_s = 0;
  std::vector<double> room_gib;  // at each place, beside the model that is asked for
  std::vector<Gap> gaps;
};

// Several requests in a row for one model are one place.
Problem problem_of(const Trace& trace, std::uint64_t limit_bytes) {
  constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
  Problem out;
  std::vector<std::size_t> last(trace.models.size(), kNever);
  for (const TraceRequest& request : trace.requests) {
    const TraceModel& model = trace.models[request.model];
    const std::size_t here = out.room_gib.size();
    std::size_t& before = last[request.model];
    if (model.bytes > limit_bytes || (before != kNever && before + 1 == here)) {
      continue;
    }
    const double seconds = std::chrono::duration<double>(model.reload).count();
    if (before == kNever) {
      out.first_loads_s += seconds;
    } else {
      out.gaps.push_back({before + 1, here, static_cast<double>(model.bytes) / kGiB, seconds});
    }
    out.room_gib.push_back(static_cast<double>(limit_bytes - model.bytes) / kGiB);
    before = here;
  }
  return out;
}

class Prices {
 public:
  explicit Prices(const Problem& problem)
      : problem_(problem),
        price_(problem.room_gib.size(), 0),
        sum_(price_.size() + 1, 0),
        change_(price_.size() + 1, 0) {}

  // The bound that these prices prove; leaves in change_ how much each place is asked for too much, in GiB.
  double value() {
    double out = problem_.first_loads_s;
    for (std::size_t t = 0; t < price_.size(); ++t) {
      sum_[t + 1] = sum_[t] + price_[t];
      out -= price_[t] * problem_.room_gib[t];
    }
    std::fill(change_.begin(), change_.end(), 0.0);
    for (const Gap& gap : problem_.gaps) {
      const double rent = gap.gib * (sum_[gap.end] - sum_[gap.begin]);
      out += std::min(gap.seconds, rent);
      if (rent < gap.seconds) {
        change_[gap.begin] += gap.gib;
        change_[gap.end] -= gap.gib;
      }
    }
    for (std::size_t t = 0, end = price_.size(); t < end; ++t) {
      change_[t + 1] += change_[t];
      change_[t] -= problem_.room_gib[t];
    }
    return out;
  }

  // Polyak's step: as far as the way to `goal` would be if the value rose at this rate.
  void step(double share_of_way) {
    double steep = 0;
    for (std::size_t t = 0; t < price_.size(); ++t) {
      const bool free = price_[t] > 0 || change_[t] > 0;
      steep += free ? change_[t] * change_[t] : 0;
    }
    for (std::size_t t = 0; t < price_.size() && steep > 0; ++t) {
      price_[t] = std::max(0.0, price_[t] + change_[t] * share_of_way / steep);
    }
  }

 private:
  const Problem& problem_;
  std::vector<double> price_;  // seconds for a GiB at this place
  std::vector<double> sum_;    // of the prices before the place
  std::vector<double> change_;
};

// What some schedule needs: what is known, else a load for each request.
double goal_of(const Problem& problem, std::chrono::milliseconds known) {
  const double seconds = std::chrono::duration<double>(known).count();
  double all = problem.first_loads_s;
  for (const Gap& gap : problem.gaps) {
    all += gap.seconds;
  }
  return seconds > problem.first_loads_s ? std::min(seconds, all) : all;
}

}  // namespace

std::chrono::milliseconds least_reload(const Trace& trace, std::uint64_t limit_bytes,
                                       std::chrono::milliseconds known) {
  const Problem problem = problem_of(trace, limit_bytes);
  Prices prices(problem);
  double best = problem.first_loads_s;  // with all prices 0
  const double goal = goal_of(problem, known);
  const std::size_t steps = std::min(kMaxSteps, kMaxWork / std::max<std::size_t>(problem.room_gib.size(), 1));
  double share = 1;
  std::size_t in_vain = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    const double value = prices.value();
    in_vain = value > best * (1 + 1e-5) ? 0 : in_vain + 1;
    best = std::max(best, value);
    share = in_vain > 0 && in_vain % 20 == 0 ? share * 0.7 : share;
    prices.step(share * std::max(0.0, goal - value));
  }
  // Down to whole milliseconds, less what rounding may have added to a sum of this length.
  const double error = best * 1e-9;
  return std::chrono::milliseconds(
      std::max<std::int64_t>(0, static_cast<std::int64_t>((best - error) * 1000)));
}

}  // namespace llamavisor
