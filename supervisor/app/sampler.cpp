#include "app/sampler.h"

#include <unistd.h>

namespace llamavisor {
namespace {

constexpr std::chrono::milliseconds kSoon{300};
constexpr unsigned kSoonLooks = 2;

}  // namespace

Sampler::Sampler(boost::asio::io_context& io, ServerTasks& tasks, Seen seen)
    : io_(io), tasks_(tasks), seen_(std::move(seen)), timer_(io) {}

void Sampler::start(std::chrono::milliseconds interval) {
  stopped_ = false;
  interval_ = interval;
  if (auto trigger = PsiTrigger::open()) {
    psi_ = std::move(*trigger);
    psi_fd_.emplace(io_, dup(psi_->fd()));
    watch_psi();
  }
  look();
}

void Sampler::set_interval(std::chrono::milliseconds interval) {
  interval_ = interval;
  if (!stopped_ && !looking_) {
    arm(interval_);
  }
}

void Sampler::look_soon() {
  soon_ = kSoonLooks;
  if (!stopped_ && !looking_) {
    arm(kSoon);
  }
}

void Sampler::stop() {
  stopped_ = true;
  timer_.cancel();
  psi_fd_.reset();
}

void Sampler::arm(std::chrono::milliseconds delay) {
  timer_.expires_after(delay);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      look();
    }
  });
}

void Sampler::look() {
  if (stopped_ || looking_) {
    return;
  }
  looking_ = true;
  tasks_.look([this](const Observation& seen, SteadyTime looked_at) {
    looking_ = false;
    if (stopped_) {
      return;
    }
    seen_(seen, looked_at);
    const bool again = soon_ > 0;
    soon_ -= again ? 1 : 0;
    arm(again ? (soon_ > 0 ? kSoon : kSoon * 5) : interval_);
  });
}

// The kernel wakes us at most once a window; the look itself decides whether anything is too much.
void Sampler::watch_psi() {
  psi_fd_->async_wait(boost::asio::posix::stream_descriptor::wait_error,
                      [this](const boost::system::error_code& ec) {
                        if (!ec && !stopped_) {
                          look();
                          watch_psi();
                        }
                      });
}

}  // namespace llamavisor
