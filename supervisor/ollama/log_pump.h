// Drains the server's stdout and stderr for as long as anybody holds their write ends: a server whose output
// nobody reads stops at a full pipe, and one whose pipe is closed dies at its next line. Each line goes into
// the ring and into the rotating file.
// Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "ollama/log_file.h"
#include "ollama/log_ring.h"

namespace llamavisor {

class LogPump {
 public:
  LogPump(boost::asio::io_context& io, boost::asio::thread_pool& workers, LogFileOptions options);
  ~LogPump();
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;

  // Takes over the non-blocking read ends of a new server.
  void attach(UniqueFd out, UniqueFd err);
  // Reads what is there now, so that the last words of a dead server are in the ring.
  void drain_now();
  // A line of ours between the server's.
  void note(const std::string& text);

  [[nodiscard]] LogRing& ring() { return ring_; }
  [[nodiscard]] const LogRing& ring() const { return ring_; }

 private:
  class Stream;
  void deliver(std::vector<std::string> lines);
  void add(UniqueFd fd);

  boost::asio::io_context& io_;
  LogFile file_;
  LogRing ring_;
  std::vector<std::weak_ptr<Stream>> streams_;
};

}  // namespace llamavisor
