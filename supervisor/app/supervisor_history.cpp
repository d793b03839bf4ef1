// What is kept for llamavisor simulate: names, times, sizes and counts.
#include <boost/asio/post.hpp>

#include "app/supervisor.h"
#include "base/log.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// When the model was loaded; a use cannot begin to be served before.
SteadyTime ready_at(const Residency& residency) {
  return residency.loaded + residency.load_duration.value_or(std::chrono::nanoseconds(0));
}

WallTime wall_of(const Clock& clock, SteadyTime time) {
  return clock.wall() - duration_cast<WallTime::duration>(clock.now() - time);
}

HistoryRequest request_of(const Clock& clock, const Residency& residency, const Use& use) {
  const SteadyTime served = std::max(use.began, ready_at(residency));
  return {wall_of(clock, use.began), residency.name, duration_cast<milliseconds>(clock.now() - served),
          use.facts.prompt_tokens, use.facts.answer_tokens};
}

// Ollama's own word on how long it loaded, else the time until the answer began.
HistoryLoad load_of(const Clock& clock, const Residency& residency, const Use& use) {
  const auto time = use.facts.load.value_or(residency.load_duration.value_or(std::chrono::nanoseconds(0)));
  return {wall_of(clock, ready_at(residency)), residency.name,
          residency.key == residency.name ? "" : residency.key, residency.charge_bytes(),
          duration_cast<milliseconds>(time)};
}

}  // namespace

void Supervisor::record_history() {
  const HistorySettings& settings = config_.settings.history;
  if (!settings.enabled) {
    return;
  }
  history_ = std::make_unique<History>(History::Options{
      history_path(), {settings.keep_age, settings.max_bytes}, [this](const std::string& sentence) {
        boost::asio::post(io_, [this, sentence] {
          log_warn(sentence);
          warnings_.insert(sentence);
        });
      }});
  ledger_.on_used([this](const Residency& residency, const Use& use) {
    if (use.loaded) {
      history_->add(load_of(clock_, residency, use));
    }
    if (use.answered) {
      history_->add(request_of(clock_, residency, use));
    }
  });
  history_listener_ = events_.listen([this](const Event& event) {
    if (event.kind == EventKind::eviction) {
      history_->add(HistoryEviction{event.at, event.model});
    }
  });
}

}  // namespace llamavisor
