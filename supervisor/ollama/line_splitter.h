// Bytes in, whole lines out, without an unbounded line. Thread: one.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace llamavisor {

class LineSplitter {
 public:
  static constexpr std::size_t kMaxLineBytes = 16U << 10U;
  static constexpr std::string_view kCutMark = " [line cut here]";

  // Calls sink(std::string&&) for each line that `bytes` ends, without its line break. Of a longer line
  // the first kMaxLineBytes are given, with a mark, and the rest is dropped.
  template <class Sink>
  void feed(std::string_view bytes, Sink&& sink) {
    while (!bytes.empty()) {
      const std::size_t line_break = bytes.find('\n');
      append(bytes.substr(0, line_break));
      if (line_break == std::string_view::npos) {
        return;
      }
      sink(take());
      bytes.remove_prefix(line_break + 1);
    }
  }
  // At the end of the stream: what came after the last line break.
  template <class Sink>
  void finish(Sink&& sink) {
    if (!line_.empty()) {
      sink(take());
    }
  }

 private:
  void append(std::string_view part) {
    const std::size_t room = kMaxLineBytes - line_.size();
    cut_ = cut_ || part.size() > room;
    line_ += part.substr(0, room);
  }
  std::string take() {
    if (cut_) {
      line_ += kCutMark;
    } else if (line_.ends_with('\r')) {
      line_.pop_back();
    }
    cut_ = false;
    return std::exchange(line_, {});
  }

  std::string line_;
  bool cut_ = false;
};

}  // namespace llamavisor
