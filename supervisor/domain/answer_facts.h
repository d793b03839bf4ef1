// What the server said about a request in its answer. Plain values; never any text of prompt or answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace llamavisor {

struct AnswerFacts {
  std::optional<std::uint64_t> prompt_tokens;
  std::optional<std::uint64_t> answer_tokens;
  std::optional<std::chrono::nanoseconds>
      load;  // Ollama's load_duration; a few ms when it was loaded already
};

}  // namespace llamavisor
