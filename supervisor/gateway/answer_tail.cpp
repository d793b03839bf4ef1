#include "gateway/answer_tail.h"

#include <charconv>

namespace llamavisor {

void AnswerTail::take(std::string_view bytes) {
  if (bytes.size() >= kKept) {
    tail_.assign(bytes.substr(bytes.size() - kKept));
    return;
  }
  if (tail_.size() + bytes.size() > 2 * kKept) {
    tail_.erase(0, tail_.size() - (kKept - bytes.size()));
  }
  tail_.append(bytes);
}

// A key within the text of an answer has its quotes escaped, so that it does not match.
std::optional<std::uint64_t> AnswerTail::number(std::string_view key) const {
  const std::size_t at = tail_.rfind("\"" + std::string(key) + "\":");
  if (at == std::string::npos) {
    return std::nullopt;
  }
  std::size_t from = at + key.size() + 3;
  from += tail_.compare(from, 1, " ") == 0 ? 1U : 0U;
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(tail_.data() + from, tail_.data() + tail_.size(), value);
  return ec == std::errc() && end != tail_.data() + tail_.size() ? std::optional(value) : std::nullopt;
}

AnswerFacts AnswerTail::facts() const {
  AnswerFacts out;
  for (const char* key : {"prompt_eval_count", "prompt_tokens", "input_tokens"}) {
    out.prompt_tokens = out.prompt_tokens ? out.prompt_tokens : number(key);
  }
  for (const char* key : {"eval_count", "completion_tokens", "output_tokens"}) {
    out.answer_tokens = out.answer_tokens ? out.answer_tokens : number(key);
  }
  if (const auto load = number("load_duration"); load && *load < 1'000'000'000'000'000ULL) {
    out.load = std::chrono::nanoseconds(*load);
  }
  return out;
}

}  // namespace llamavisor
