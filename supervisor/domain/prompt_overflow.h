// A prompt that does not fit the context (num_ctx) that its model has. Plain values.
#pragma once

#include <cstdint>
#include <optional>

namespace llamavisor {

struct PromptOverflow {
  std::optional<std::uint64_t> prompt_tokens;  // absent: the server does not say (before 0.30)
  std::optional<std::uint64_t> num_ctx;        // what the model has
};

}  // namespace llamavisor
