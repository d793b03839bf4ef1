// Writes what happens into the history, on a thread of its own and never in anyone's way.
//
// add() puts an entry into a queue of at most kMaxQueued and returns; when the queue is full (the disk hangs)
// the entry is dropped and counted. The thread writes what has gathered each second, as one transaction, and
// prunes. Trouble with the file is reported once and ends nothing: the thread tries again with the next
// batch.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "store/history_db.h"

namespace llamavisor {

class History {
 public:
  static constexpr std::size_t kMaxQueued = 4096;
  struct Options {
    std::string path;
    HistoryLimits limits;
    std::function<void(const std::string& sentence)> report;  // on the history's own thread
  };

  explicit History(Options options);
  // Writes what is queued first; waits for the disk.
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // Any thread; never waits for the disk.
  void add(HistoryEntry entry);
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  static constexpr std::chrono::seconds kGather{1};
  void run();
  void write(const std::vector<HistoryEntry>& batch);
  void complain(const std::string& sentence);

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HistoryEntry> queue_;
  std::uint64_t dropped_ = 0;
  bool ending_ = false;
  std::optional<HistoryDb> db_;  // the thread's
  std::string last_complaint_;   // the thread's
  std::thread thread_;           // last member: it uses the others
};

}  // namespace llamavisor
