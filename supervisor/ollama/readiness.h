// Is the server ready? GET /api/version on a worker, with growing pauses, until it answers or time is up.
// A TCP connect would prove nothing: Ollama binds long before it answers.
// Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace llamavisor {

class Readiness {
 public:
  using Done = std::function<void(Result<std::string> version)>;

  Readiness(boost::asio::io_context& io, boost::asio::thread_pool& workers);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // Calls `done` once, unless cancelled; the error says what the last try met. Cancels an earlier watch.
  void watch(std::uint16_t port, std::chrono::milliseconds timeout, Done done);
  void cancel();

 private:
  struct Watch;
  static void probe(const std::shared_ptr<Watch>& watch);
  static void answered(const std::shared_ptr<Watch>& watch, const Result<std::string>& version);

  boost::asio::io_context& io_;
  boost::asio::thread_pool& workers_;
  std::shared_ptr<Watch> watch_;
};

}  // namespace llamavisor
