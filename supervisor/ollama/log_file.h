// The rotating file of the server's output. A disk that is full, slow or gone costs lines, never more:
// writing happens on the worker pool, one batch at a time, behind a bounded queue; spdlog's rotating sink is
// thrown away after any failure (it must not be used again) and made anew a few seconds later.
// Thread: write() on any; the file belongs to one strand of the pool.
#pragma once

#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace llamavisor {

struct LogFileOptions {
  std::string path;
  std::uint64_t max_bytes = 10ULL << 20U;  // of one file
  std::uint32_t files = 3;                 // how many are kept, the current one among them
};

class LogFile {
 public:
  static constexpr std::size_t kMaxQueuedBytes = 4U << 20U;

  LogFile(boost::asio::thread_pool& workers, LogFileOptions options);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // Whole lines, the last without its line break. Dropped and counted when too much is queued.
  void write(std::string lines);

 private:
  class Sink;
  std::shared_ptr<Sink> sink_;
  boost::asio::strand<boost::asio::thread_pool::executor_type> strand_;
};

}  // namespace llamavisor
