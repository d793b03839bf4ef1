// Flow 2's clock: looks at the server every monitor.interval, sooner when asked, and at once when the kernel
// reports memory pressure. Thread: io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "actions/server_tasks.h"
#include "memory/psi_trigger.h"

namespace llamavisor {

class Sampler {
 public:
  using Seen = std::function<void(const Observation&, SteadyTime looked_at)>;
  Sampler(boost::asio::io_context& io, ServerTasks& tasks, Seen seen);

  void start(std::chrono::milliseconds interval);
  void set_interval(std::chrono::milliseconds interval);
  // A look in a moment (what a request has changed shows up after some 100 ms), and one more later.
  void look_soon();
  void stop();
  [[nodiscard]] bool has_psi_trigger() const { return psi_.has_value(); }

 private:
  void arm(std::chrono::milliseconds delay);
  void look();
  void watch_psi();

  boost::asio::io_context& io_;
  ServerTasks& tasks_;
  Seen seen_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds interval_{30'000};
  bool looking_ = false;
  unsigned soon_ = 0;  // quick looks still due
  bool stopped_ = true;
  std::optional<PsiTrigger> psi_;
  std::optional<boost::asio::posix::stream_descriptor> psi_fd_;
};

}  // namespace llamavisor
