// The orders that lru, largest and composite share. Pure.
#pragma once

#include <chrono>
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>
#include <string>

namespace llamavisor::orders {

// The higher the score, the sooner the model goes. The orders write into one that their caller keeps and
// whose reason is empty then: a string of its own for each of a hundred models is what a call would cost most
// for.
struct Place {
  double score = 0;
  std::string reason;
};

inline double seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

// Score = seconds since the last use. A model whose last use nobody saw counts from its load; if that is
// unknown as well it goes last, because it may be in use.
inline void lru(const Model& model, Place& out) {
  if (model.idle) {
    out.score = seconds(*model.idle);
    out.reason.append("least recently used: idle for ");
    text::add_duration(out.reason, *model.idle);
  } else if (model.resident) {
    out.score = seconds(*model.resident);
    out.reason.append("not used since it was loaded ").append(text::duration(*model.resident)).append(" ago");
  } else {
    out.score = 0;
    out.reason.append("its last use is unknown");
  }
}

// Score = bytes that the budget counts for it. Equal sizes, and models of unknown size (which go last), are
// ordered by their idle time: it is at most a tie-breaker, below one byte.
inline void largest(const Model& model, Place& out) {
  const auto size = model.size ? model.size : model.rss;
  const double idle_s = seconds(model.idle.value_or(nanoseconds(0)));
  out.score = static_cast<double>(size.value_or(0)) + idle_s / (idle_s + 60);
  if (size) {
    out.reason.append("largest: gives back ").append(text::bytes(*size));
  } else {
    out.reason.append("its size is unknown");
  }
}

// Ranks every model that may go by one of the orders.
template <class Order>
void rank_by(const Snapshot& snapshot, Victims& out, const Order& order) {
  Place place;
  for (const Model& model : snapshot) {
    if (model.evictable()) {
      place.reason.clear();
      order(model, place);
      out.add(model, place.score, place.reason);
    }
  }
}

}  // namespace llamavisor::orders
