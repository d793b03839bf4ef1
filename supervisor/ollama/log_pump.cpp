#include "ollama/log_pump.h"

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <string_view>

#include "ollama/line_splitter.h"

namespace llamavisor {

// One pipe. Kept alive by its pending read; ends at the end of the pipe or when the pump goes.
class LogPump::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(LogPump& pump, boost::asio::io_context& io, UniqueFd fd) : pump_(&pump), descriptor_(io) {
    descriptor_.assign(fd.release());
  }
  // Waits first and reads then, so that drain_now() never meets a read that is half done.
  void start() {
    descriptor_.async_wait(descriptor_.wait_read, [self = shared_from_this()](auto ec) {
      if (!ec && self->read_once() != Outcome::ended) {
        self->start();
      }
    });
  }
  // Bounded, should the writer be faster than we are.
  void drain_now() {
    for (int i = 0; i < 64 && read_once() == Outcome::data; ++i) {
    }
  }
  void stop() {
    pump_ = nullptr;
    boost::system::error_code ignored;
    descriptor_.close(ignored);
  }

 private:
  enum class Outcome { data, nothing, ended };

  Outcome read_once() {
    if (pump_ == nullptr || !descriptor_.is_open()) {
      return Outcome::ended;
    }
    const ssize_t got = ::read(descriptor_.native_handle(), buffer_.data(), buffer_.size());
    if (got > 0) {
      take({buffer_.data(), static_cast<std::size_t>(got)}, false);
      return Outcome::data;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      return Outcome::nothing;
    }
    take({}, true);
    boost::system::error_code ignored;
    descriptor_.close(ignored);
    return Outcome::ended;
  }
  void take(std::string_view bytes, bool last) {
    std::vector<std::string> lines;
    const auto collect = [&](std::string&& line) { lines.push_back(std::move(line)); };
    splitter_.feed(bytes, collect);
    if (last) {
      splitter_.finish(collect);
    }
    if (!lines.empty()) {
      pump_->deliver(std::move(lines));
    }
  }

  LogPump* pump_;
  boost::asio::posix::stream_descriptor descriptor_;
  LineSplitter splitter_;
  std::array<char, 16U << 10U> buffer_{};
};

LogPump::LogPump(boost::asio::io_context& io, boost::asio::thread_pool& workers, LogFileOptions options)
    : io_(io), file_(workers, std::move(options)) {}

LogPump::~LogPump() {
  for (const auto& weak : streams_) {
    if (const auto stream = weak.lock()) {
      stream->stop();
    }
  }
}

void LogPump::attach(UniqueFd out, UniqueFd err) {
  std::erase_if(streams_, [](const auto& weak) { return weak.expired(); });
  add(std::move(out));
  add(std::move(err));
}

void LogPump::add(UniqueFd fd) {
  const auto stream = std::make_shared<Stream>(*this, io_, std::move(fd));
  streams_.push_back(stream);
  stream->start();
}

void LogPump::drain_now() {
  for (const auto& weak : streams_) {
    if (const auto stream = weak.lock()) {
      stream->drain_now();
    }
  }
}

void LogPump::note(const std::string& text) {
  deliver({"[llamavisor: " + text + "]"});
}

void LogPump::deliver(std::vector<std::string> lines) {
  std::string joined;
  for (std::string& line : lines) {
    joined += (joined.empty() ? "" : "\n") + line;
    ring_.push(std::move(line));
  }
  file_.write(std::move(joined));
}

}  // namespace llamavisor
