// adopt_environment(): OLLAMA_* variables read as Ollama reads them.
#include <boost/algorithm/string/trim.hpp>
#include <charconv>
#include <functional>
#include <optional>

#include "base/units.h"
#include "ollama/child_env.h"

namespace llamavisor {
namespace {

template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

// 0 asks Ollama to choose; llamavisor's own value is the better choice then.
bool adopt_count(std::uint32_t& target, const std::string& text) {
  const auto count = number_in<std::uint32_t>(text);
  target = count.value_or(0) > 0 ? *count : target;
  return count.value_or(0) > 0;
}

bool adopt_text(std::string& target, const std::string& text) {
  target = text;
  return true;
}

bool adopt_keep_alive(KeepAlive& target, const std::string& text) {
  if (text.starts_with('-')) {
    target = {milliseconds(0), true};
    return true;
  }
  const auto duration = parse_duration(text);
  target = duration ? KeepAlive{*duration, false} : target;
  return duration.has_value();
}

// Go's strconv.ParseBool; any other text counts as true, as in Ollama.
bool adopt_flag(bool& target, const std::string& text) {
  target = text != "0" && text != "f" && text != "F" && text != "false" && text != "FALSE" && text != "False";
  return true;
}

bool adopt_mebibytes(std::uint64_t& target, const std::string& text) {
  const auto mebibytes = number_in<std::uint64_t>(text);
  if (!mebibytes || *mebibytes > (~std::uint64_t{0} >> 20U)) {
    return false;  // negative: without limit
  }
  target = *mebibytes << 20U;
  return true;
}

struct Adoption {
  const char* variable;
  const char* key;
  std::function<bool(Settings&, const std::string&)> apply;
};

const std::vector<Adoption>& adoptions() {
  using Text = const std::string&;
  static const std::vector<Adoption> table{
      {"OLLAMA_MODELS", "server.models", [](Settings& s, Text t) { return adopt_text(s.server.models, t); }},
      {"OLLAMA_MAX_LOADED_MODELS", "server.max_loaded_models",
       [](Settings& s, Text t) { return adopt_count(s.server.max_loaded_models, t); }},
      {"OLLAMA_NUM_PARALLEL", "server.num_parallel",
       [](Settings& s, Text t) { return adopt_count(s.server.num_parallel, t); }},
      {"OLLAMA_KEEP_ALIVE", "server.keep_alive",
       [](Settings& s, Text t) { return adopt_keep_alive(s.server.keep_alive, t); }},
      {"OLLAMA_KV_CACHE_TYPE", "server.kv_cache_type",
       [](Settings& s, Text t) { return adopt_text(s.server.kv_cache_type, t); }},
      {"OLLAMA_FLASH_ATTENTION", "server.flash_attention",
       [](Settings& s, Text t) { return adopt_flag(s.server.flash_attention, t); }},
      {"OLLAMA_CONTEXT_LENGTH", "context.default_num_ctx",
       [](Settings& s, Text t) { return adopt_count(s.context.default_num_ctx, t); }},
      {"LLAMA_ARG_CACHE_RAM", "server.prompt_cache",
       [](Settings& s, Text t) { return adopt_mebibytes(s.server.prompt_cache_bytes, t); }},
  };
  return table;
}

bool set_by_a_person(const Origins& origins, const std::string& key) {
  const auto it = origins.find(key);
  return it != origins.end() && !it->second.starts_with("default") && !it->second.starts_with("profile");
}

}  // namespace

void adopt_environment(Settings& settings, Origins& origins, const Environment& own) {
  for (const Adoption& adoption : adoptions()) {
    std::string value = environment_value(own, adoption.variable);
    boost::algorithm::trim_if(value, [](char c) { return c == ' ' || c == '"' || c == '\''; });
    if (!value.empty() && !set_by_a_person(origins, adoption.key) && adoption.apply(settings, value)) {
      origins[adoption.key] = std::string("environment ") + adoption.variable;
    }
  }
}

}  // namespace llamavisor
