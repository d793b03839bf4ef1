// A thread that runs tasks in order and can be left behind: when a task never returns, its owner goes on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace llamavisor {

class CallThread : public std::enable_shared_from_this<CallThread> {
 public:
  static std::shared_ptr<CallThread> start();
  // Any thread. Tasks must not throw.
  void post(std::function<void()> task);
  // Any thread. Runs what was posted, then ends; false: it did not end within `bound` and is left behind.
  bool finish(std::chrono::milliseconds bound);

 private:
  CallThread() = default;
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  bool ended_ = false;
};

}  // namespace llamavisor
