#include "plugin_host/call_thread.h"

#include <pthread.h>

#include <csignal>
#include <thread>

namespace llamavisor {

std::shared_ptr<CallThread> CallThread::start() {
  std::shared_ptr<CallThread> out(new CallThread());
  sigset_t all;
  sigset_t before;
  sigfillset(&all);  // signals are the io thread's, but for those of a fault: blocked, they reach no handler
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS}) {
    sigdelset(&all, signal);
  }
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([out] { out->run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return out;
}

void CallThread::post(std::function<void()> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

bool CallThread::finish(std::chrono::milliseconds bound) {
  std::unique_lock<std::mutex> lock(mutex_);
  ending_ = true;
  changed_.notify_all();
  return changed_.wait_for(lock, bound, [this] { return ended_; });
}

void CallThread::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
    if (tasks_.empty()) {
      break;
    }
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
  ended_ = true;
  changed_.notify_all();
}

}  // namespace llamavisor
