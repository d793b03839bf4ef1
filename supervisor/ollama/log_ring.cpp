#include "ollama/log_ring.h"

#include <algorithm>

namespace llamavisor {

void LogRing::push(std::string line) {
  ++pushed_;
  bytes_ += line.size();
  lines_.push_back(std::move(line));
  tell(std::string(lines_.back()));
  while (lines_.size() > max_lines_ || (bytes_ > max_bytes_ && lines_.size() > 1)) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
  }
}

std::vector<std::string> LogRing::tail(std::size_t count) const {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(count, lines_.size()));
  return {lines_.end() - shown, lines_.end()};
}

std::shared_ptr<void> LogRing::listen(Listener listener) {
  auto held = std::make_shared<Listener>(std::move(listener));
  listeners_.push_back(held);
  return held;
}

void LogRing::tell(const std::string& line) {
  std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
  const auto listeners = listeners_;  // a listener may add or drop listeners
  for (const auto& weak : listeners) {
    if (const auto listener = weak.lock()) {
      (*listener)(line);
    }
  }
}

}  // namespace llamavisor
