#include "ollama/log_file.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <chrono>

#include "base/log.h"

namespace llamavisor {
namespace {

constexpr std::chrono::seconds kRetryAfter{5};

}  // namespace

// On the strand, but for the two atomics.
class LogFile::Sink {
 public:
  explicit Sink(LogFileOptions options) : options_(std::move(options)) {}

  std::atomic<std::size_t> queued_bytes{0};
  std::atomic<std::uint64_t> dropped{0};

  void write(const std::string& lines) {
    if (!file_ && std::chrono::steady_clock::now() < retry_at_) {
      ++dropped;
      return;
    }
    try {
      open();
      if (const auto lost = dropped.exchange(0); lost > 0) {
        put("[llamavisor: " + std::to_string(lost) + " pieces of the log are missing here]");
      }
      put(lines);
      file_->flush();
      failing_ = false;
    } catch (const std::exception& error) {
      give_up(error.what());
    }
  }

 private:
  using RotatingFile = spdlog::sinks::rotating_file_sink_st;

  void open() {
    if (!file_) {
      const std::size_t older = std::max<std::uint32_t>(options_.files, 1) - 1;
      file_ = std::make_unique<RotatingFile>(options_.path, std::max<std::size_t>(options_.max_bytes, 1),
                                             older, false);
      file_->set_formatter(
          std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::local, "\n"));
    }
  }
  void put(const std::string& text) {
    file_->log(spdlog::details::log_msg(spdlog::string_view_t(), spdlog::level::info, text));
  }
  void give_up(const std::string& why) {
    file_.reset();
    ++dropped;
    retry_at_ = std::chrono::steady_clock::now() + kRetryAfter;
    if (!failing_) {
      log_warn("the server's log cannot be written, its last lines stay in memory: " + why);
    }
    failing_ = true;
  }

  LogFileOptions options_;
  std::unique_ptr<RotatingFile> file_;
  std::chrono::steady_clock::time_point retry_at_{};
  bool failing_ = false;
};

LogFile::LogFile(boost::asio::thread_pool& workers, LogFileOptions options)
    : sink_(std::make_shared<Sink>(std::move(options))), strand_(boost::asio::make_strand(workers)) {}

LogFile::~LogFile() = default;

void LogFile::write(std::string lines) {
  if (sink_->queued_bytes + lines.size() > kMaxQueuedBytes) {
    ++sink_->dropped;
    return;
  }
  sink_->queued_bytes += lines.size();
  boost::asio::post(strand_, [sink = sink_, lines = std::move(lines)] {
    sink->queued_bytes -= lines.size();
    sink->write(lines);
  });
}

}  // namespace llamavisor
