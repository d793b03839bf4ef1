#include "ollama/readiness.h"

#include <algorithm>

#include "base/units.h"
#include "ollama/client.h"
#include "ollama/run_on_worker.h"

namespace llamavisor {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{500};
constexpr milliseconds kProbeTimeout{2'000};

}  // namespace

struct Readiness::Watch {
  Watch(boost::asio::io_context& context, boost::asio::thread_pool& pool)
      : io(context), workers(pool), timer(context) {}

  boost::asio::io_context& io;
  boost::asio::thread_pool& workers;
  boost::asio::steady_timer timer;
  std::uint16_t port = 0;
  milliseconds timeout{0};
  milliseconds pause = kFirstPause;
  std::chrono::steady_clock::time_point deadline{};
  Done done;  // empty: cancelled or answered
};

Readiness::Readiness(boost::asio::io_context& io, boost::asio::thread_pool& workers)
    : io_(io), workers_(workers) {}

Readiness::~Readiness() {
  cancel();
}

void Readiness::watch(std::uint16_t port, milliseconds timeout, Done done) {
  cancel();
  watch_ = std::make_shared<Watch>(io_, workers_);
  watch_->port = port;
  watch_->timeout = timeout;
  watch_->deadline = std::chrono::steady_clock::now() + timeout;
  watch_->done = std::move(done);
  probe(watch_);
}

void Readiness::cancel() {
  if (watch_) {
    watch_->done = nullptr;
    watch_->timer.cancel();
    watch_.reset();
  }
}

void Readiness::probe(const std::shared_ptr<Watch>& watch) {
  const auto left =
      std::chrono::duration_cast<milliseconds>(watch->deadline - std::chrono::steady_clock::now());
  const auto limit = std::clamp(left, milliseconds(1), kProbeTimeout);
  run_on_worker(
      watch->workers, watch->io, [port = watch->port, limit] { return OllamaClient(port).version(limit); },
      [watch](const Result<std::string>& version) { answered(watch, version); });
}

void Readiness::answered(const std::shared_ptr<Watch>& watch, const Result<std::string>& version) {
  if (!watch->done) {
    return;
  }
  if (version) {
    std::exchange(watch->done, nullptr)(version);
    return;
  }
  if (std::chrono::steady_clock::now() + watch->pause >= watch->deadline) {
    std::exchange(watch->done,
                  nullptr)(Error("no answer of an Ollama server within " + format_duration(watch->timeout) +
                                 "; the last try: " + version.error().text()));
    return;
  }
  watch->timer.expires_after(watch->pause);
  watch->pause = std::min(watch->pause * 2, kLongestPause);
  watch->timer.async_wait([watch](auto ec) {
    if (!ec && watch->done) {
      probe(watch);
    }
  });
}

}  // namespace llamavisor
