#include "store/history.h"

#include <pthread.h>

#include <csignal>

namespace llamavisor {

History::History(Options options) : options_(std::move(options)) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);  // signals are the io thread's
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

History::~History() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void History::add(HistoryEntry entry) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (queue_.size() >= kMaxQueued) {
      ++dropped_;
      return;
    }
    queue_.push_back(std::move(entry));
  }
  changed_.notify_all();
}

std::uint64_t History::dropped() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return dropped_;
}

void History::run() {
  write({});  // opens the file, and prunes it
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    changed_.wait_for(lock, kGather, [this] { return ending_ || queue_.size() > kMaxQueued / 2; });
    const bool last = ending_;
    std::vector<HistoryEntry> batch;
    batch.swap(queue_);
    lock.unlock();
    if (!batch.empty()) {
      write(batch);
    }
    if (last) {
      return;
    }
    lock.lock();
  }
}

void History::write(const std::vector<HistoryEntry>& batch) {
  if (!db_) {
    auto opened = HistoryDb::open(options_.path, [this](const std::string& aside) {
      complain("The history was damaged; it begins anew, the old file is " + aside);
    });
    if (!opened) {
      complain(opened.error().text());
      return;
    }
    db_ = std::move(*opened);
  }
  auto written = batch.empty() ? Result<void>() : db_->add(batch);
  if (written) {
    const auto pruned = db_->prune(options_.limits, std::chrono::system_clock::now());
    written = pruned ? Result<void>() : pruned.error();
  }
  if (written) {
    last_complaint_.clear();
  } else {
    complain(written.error().text());
    db_.reset();  // opened, and checked, anew with the next batch
  }
}

void History::complain(const std::string& sentence) {
  if (options_.report && sentence != last_complaint_) {
    options_.report(sentence);
  }
  last_complaint_ = sentence;
}

}  // namespace llamavisor
