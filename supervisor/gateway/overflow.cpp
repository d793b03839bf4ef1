#include "gateway/overflow.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace llamavisor {
namespace {

// The number behind `lead`.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view lead) {
  const std::size_t at = text.find(lead);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view rest = text.substr(at + lead.size());
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
  return error == std::errc{} && out > 0 ? std::optional(out) : std::nullopt;
}

}  // namespace

std::optional<PromptOverflow> read_overflow(std::string_view error_body) {
  constexpr std::string_view kSize = "exceeds the available context size";
  constexpr std::string_view kLength = "input length exceeds the context length";
  if (error_body.find(kSize) == std::string_view::npos &&
      error_body.find(kLength) == std::string_view::npos) {
    return std::nullopt;
  }
  return PromptOverflow{number_after(error_body, "request ("), number_after(error_body, "context size (")};
}

std::string describe(const PromptOverflow& overflow, const std::string& model) {
  const std::string prompt = overflow.prompt_tokens
                                 ? "the prompt has " + std::to_string(*overflow.prompt_tokens) + " tokens"
                                 : "the prompt is too long";
  return prompt + (overflow.num_ctx ? " and num_ctx of " + model + " is " + std::to_string(*overflow.num_ctx)
                                    : ", longer than num_ctx of " + model);
}

std::string truncation_field(const PromptOverflow& overflow) {
  std::string out = "Llamavisor-Truncated: ";
  out +=
      overflow.prompt_tokens ? "prompt_tokens=" + std::to_string(*overflow.prompt_tokens) : "prompt_tokens=?";
  out += overflow.num_ctx ? ", num_ctx=" + std::to_string(*overflow.num_ctx) : "";
  return out + "\r\n";
}

std::uint32_t num_ctx_for(const PromptOverflow& overflow, std::size_t request_bytes) {
  constexpr std::uint64_t kAnswerTokens = 1024;
  constexpr std::uint64_t kStep = 2048;
  const std::uint64_t tokens = overflow.prompt_tokens.value_or(request_bytes / 2) + kAnswerTokens;
  const std::uint64_t wanted =
      (std::max(tokens, overflow.num_ctx.value_or(0) + 1) + kStep - 1) / kStep * kStep;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(wanted, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace llamavisor
