// Keeps the end of an answer while it is relayed, and finds the counts in it: all of Ollama's routes send
// them last. Thread: any; one user.
#pragma once

#include <string>
#include <string_view>

#include "domain/answer_facts.h"

namespace llamavisor {

class AnswerTail {
 public:
  void take(std::string_view bytes);
  void clear() { tail_.clear(); }
  // What is missing, or was cut in two by the framing, stays absent.
  [[nodiscard]] AnswerFacts facts() const;

 private:
  static constexpr std::size_t kKept = 1024;
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view key) const;
  std::string tail_;
};

}  // namespace llamavisor
