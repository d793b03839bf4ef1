// Reads and writes what a prompt overflow looks like on the wire. Thread: any; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llamavisor {

// A prompt that does not fit the context (num_ctx) that its model has.
struct PromptOverflow {
  std::optional<std::uint64_t> prompt_tokens;  // absent: the server does not say (before 0.30)
  std::optional<std::uint64_t> num_ctx;        // what the model has
};

// The body of a 400: absent unless it says that the prompt is too long. The server is known to say:
//   llama-server (0.30 and newer): "request (6002 tokens) exceeds the available context size (2048
//   tokens)..." the runners before it:         "the input length exceeds the context length"
std::optional<PromptOverflow> read_overflow(std::string_view error_body);

// "the prompt has 6002 tokens and num_ctx of tiny:latest is 2048"; what is not known is left out.
std::string describe(const PromptOverflow& overflow, const std::string& model);

// "Llamavisor-Truncated: prompt_tokens=6002, num_ctx=2048": the field of an answer to a part of the prompt.
std::string truncation_field(const PromptOverflow& overflow);

// A num_ctx that the prompt and an answer of 1024 tokens fit into, in steps of 2048. Where the server does
// not say how long the prompt is, a token is taken for two bytes of the request, which is half of what
// English has.
std::uint32_t num_ctx_for(const PromptOverflow& overflow, std::size_t request_bytes);

}  // namespace llamavisor
