// The orders that lru, largest and composite share. Pure.
#pragma once

#include <chrono>
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>
#include <string>

namespace llamavisor::orders {

// The higher the score, the sooner the model goes.
struct Place {
  double score = 0;
  std::string reason;
};

inline double seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

// Score = seconds since the last use. A model whose last use nobody saw counts from its load; if that is
// unknown as well it goes last, because it may be in use.
inline Place lru(const Model& model) {
  if (model.idle) {
    return {seconds(*model.idle), "least recently used: idle for " + text::duration(*model.idle)};
  }
  if (model.resident) {
    return {seconds(*model.resident),
            "not used since it was loaded " + text::duration(*model.resident) + " ago"};
  }
  return {0, "its last use is unknown"};
}

// Score = bytes that the budget counts for it. Equal sizes, and models of unknown size (which go last), are
// ordered by their idle time: it is at most a tie-breaker, below one byte.
inline Place largest(const Model& model) {
  const auto size = model.size ? model.size : model.rss;
  const double idle_s = seconds(model.idle.value_or(nanoseconds(0)));
  return {static_cast<double>(size.value_or(0)) + idle_s / (idle_s + 60),
          size ? "largest: gives back " + text::bytes(*size) : "its size is unknown"};
}

// Ranks every model that may go by one of the orders.
template <class Order>
void rank_by(const Snapshot& snapshot, Victims& out, const Order& order) {
  for (const Model& model : snapshot) {
    if (model.evictable()) {
      const Place place = order(model);
      out.add(model, place.score, place.reason);
    }
  }
}

}  // namespace llamavisor::orders
