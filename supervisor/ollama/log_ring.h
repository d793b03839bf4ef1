// The last lines of the server's output, and those who follow it.
// Thread: io thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace llamavisor {

class LogRing {
 public:
  using Listener = std::function<void(const std::string& line)>;

  explicit LogRing(std::size_t max_lines = 4000, std::size_t max_bytes = 1U << 20U)
      : max_lines_(max_lines), max_bytes_(max_bytes) {}

  void push(std::string line);
  // The newest `count` lines, the oldest of them first.
  [[nodiscard]] std::vector<std::string> tail(std::size_t count) const;
  // How many lines were ever pushed: tells which of the lines in tail() are new.
  [[nodiscard]] std::uint64_t pushed() const { return pushed_; }

  // The listener is called for each new line until the returned handle dies. It must not block.
  [[nodiscard]] std::shared_ptr<void> listen(Listener listener);

 private:
  void tell(const std::string& line);

  std::size_t max_lines_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t pushed_ = 0;
  std::deque<std::string> lines_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace llamavisor
