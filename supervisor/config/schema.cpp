#include "config/schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "config/schema_types.h"
#include "domain/event.h"

namespace llamavisor {
namespace {

using namespace std::chrono_literals;

#define LLV_AT(path)          \
  [](Settings & s) -> auto& { \
    return s.path;            \
  }
constexpr std::int64_t kMaxU32 = 0xffffffffLL;
constexpr std::uint64_t kSmallestLimit = 1ULL << 20U;  // "12" for "12GB" would refuse every model

std::vector<ConfigKey> server_keys() {
  return {
      {"server.ollama", "a path", "\"\"", false,
       "The ollama program; empty: found on PATH and in the usual places.",
       set_text(LLV_AT(server.ollama_path))},
      {"server.models", "a path", "\"\"", false,
       "Sets OLLAMA_MODELS; empty: Ollama's own place is left alone.", set_text(LLV_AT(server.models))},
      {"server.ready_timeout", "a duration", "\"60s\"", false,
       "How long the server may take until it answers; GPU discovery can take many seconds.",
       set_time(LLV_AT(server.ready_timeout), 1s)},
      {"server.drain_timeout", "a duration", "\"30s\"", true,
       "How long requests in flight may run on when llamavisor is told to stop.",
       set_time(LLV_AT(server.drain_timeout))},
      {"server.stop_timeout", "a duration", "\"10s\"", false,
       "How long the server may take to end before it is killed with its runners.",
       set_time(LLV_AT(server.stop_timeout), 1s)},
      {"server.unload_on_stop", "true or false", "false", true,
       "Unload each model before the server is stopped; it ends them by itself otherwise.",
       set_flag(LLV_AT(server.unload_on_stop))},
      {"server.restart_min_delay", "a duration", "\"500ms\"", false,
       "Pause before a server that died is started again; it doubles with each failure.",
       set_time(LLV_AT(server.restart_min_delay), 10ms)},
      {"server.restart_max_delay", "a duration", "\"30s\"", false, "The longest such pause.",
       set_time(LLV_AT(server.restart_max_delay), 10ms)},
      {"server.max_loaded_models", "a whole number", "64", false,
       "OLLAMA_MAX_LOADED_MODELS, high enough that the budget decides and not a count.",
       set_count(LLV_AT(server.max_loaded_models), 1, 4096)},
      {"server.num_parallel", "a whole number", "1", false,
       "OLLAMA_NUM_PARALLEL: requests that one model serves at once; each has its own KV cache.",
       set_count(LLV_AT(server.num_parallel), 1, 256)},
      {"server.keep_alive", "a duration, or \"-1\" for ever", "\"5m\"", false,
       "OLLAMA_KEEP_ALIVE: how long an idle model stays.",
       [](Settings& s, const ConfigValue& v) -> Result<void> {
         auto parsed = parse_keep_alive(v);
         if (!parsed) {
           return parsed.error();
         }
         s.server.keep_alive = *parsed;
         return {};
       }},
      {"server.kv_cache_type", "one of \"\", \"f16\", \"q8_0\", \"q4_0\"", "\"\"", false,
       "OLLAMA_KV_CACHE_TYPE; q8_0 halves the KV cache and needs flash attention.",
       set_one_of(LLV_AT(server.kv_cache_type), {"", "f16", "q8_0", "q4_0"})},
      {"server.flash_attention", "true or false", "false", false, "OLLAMA_FLASH_ATTENTION.",
       set_flag(LLV_AT(server.flash_attention))},
      {"server.prompt_cache", "a size", "\"256MB\"", false,
       "LLAMA_ARG_CACHE_RAM: the prompt cache of each runner, which is 8 GB unless set.",
       set_bytes(LLV_AT(server.prompt_cache_bytes))},
  };
}

std::vector<ConfigKey> gateway_keys() {
  return {
      {"gateway.listen", "an address", "\"\"", false,
       "Where clients connect; empty: OLLAMA_HOST, else 127.0.0.1:11434.", set_text(LLV_AT(gateway.listen))},
      {"gateway.max_connections", "a whole number", "2048", false,
       "More get a 503; an idle kept-alive connection makes room first.",
       set_count(LLV_AT(gateway.max_connections), 1, 1'000'000)},
      {"gateway.head_timeout", "a duration", "\"15s\"", false,
       "How long a request head may take, and how long a body may stall.",
       set_time(LLV_AT(gateway.head_timeout), 1s)},
      {"gateway.hold_timeout", "a duration", "\"2m\"", false,
       "How long a request waits for a server that is being started again.",
       set_time(LLV_AT(gateway.hold_timeout))},
      {"gateway.max_waiting", "a whole number", "512", true,
       "Requests that may wait for memory, all models together; more get a 503.",
       set_count(LLV_AT(gateway.max_waiting), 1, 1'000'000)},
      {"gateway.max_inspect", "a size", "\"64MB\"", false,
       "Larger inference bodies are relayed unread, so their model is learnt from the server.",
       set_bytes(LLV_AT(gateway.max_inspect_bytes))},
      {"gateway.origins", "a list of origins", "[]", false,
       "Origins of web pages that may use Ollama, besides its own and OLLAMA_ORIGINS.",
       set_list(LLV_AT(gateway.origins))},
  };
}

std::vector<ConfigKey> memory_keys() {
  return {
      {"memory.limit", "a size such as \"12GB\", a percentage such as \"60%\", or \"auto\"", "\"auto\"", true,
       "What all resident models together may hold.",
       [](Settings& s, const ConfigValue& v) -> Result<void> {
         const auto* text = std::get_if<std::string>(&v);
         const auto parsed = text == nullptr ? Result<LimitSpec>(Error("")) : parse_limit(*text);
         if (!parsed) {
           return expected("a size such as \"12GB\", a percentage such as \"60%\" or \"auto\"", v);
         }
         s.memory.limit = *parsed;
         return {};
       }},
      {"memory.min_available", "a size", "\"512MB\"", true,
       "Models are unloaded when the machine's MemAvailable falls below this.",
       set_bytes(LLV_AT(memory.min_available_bytes))},
      {"memory.psi_full_percent", "a number from 0 to 100", "20", true,
       "A model is unloaded when the kernel's memory pressure (full avg10) is above this.",
       set_percent(LLV_AT(memory.psi_full_percent))},
      {"memory.admission_wait", "a duration", "\"2m\"", true,
       "How long a request waits for memory that busy models hold.", set_time(LLV_AT(memory.admission_wait))},
      {"memory.unload_timeout", "a duration", "\"10s\"", true,
       "How long a runner may take to end before it is killed.",
       set_time(LLV_AT(memory.unload_timeout), 100ms)},
      {"monitor.interval", "a duration", "\"30s\"", true,
       "Pause between two looks at the memory; pressure and loads cause one at once.",
       set_time(LLV_AT(monitor_interval), 1s)},
      {"context.default_num_ctx", "a whole number", "0", false,
       "OLLAMA_CONTEXT_LENGTH, for requests without a wish; 0: the context policy chooses at start.",
       set_count(LLV_AT(context.default_num_ctx), 0, kMaxU32)},
      {"context.grow", "true or false", "true", true,
       "A client that asks for more context than a model has makes it load anew, once; else it is served as "
       "is.",
       set_flag(LLV_AT(context.grow))},
      {"context.overflow", "one of \"mark\", \"error\", \"grow\", \"allow\"", "\"mark\"", true,
       "A prompt longer than num_ctx: answer a part of it and say so, refuse it, load the model larger, or "
       "say nothing as Ollama does.",
       set_one_of(LLV_AT(context.overflow), {"mark", "error", "grow", "allow"})},
  };
}

std::vector<std::string> event_kinds() {
  std::vector<std::string> out;
  for (int kind = 0; out.empty() || out.back() != "unknown"; ++kind) {
    out.emplace_back(to_string(static_cast<EventKind>(kind)));
  }
  out.pop_back();
  return out;
}

Result<void> set_event_kinds(Settings& s, const ConfigValue& v) {
  static const std::vector<std::string> known = event_kinds();
  const auto* kinds = std::get_if<std::vector<std::string>>(&v);
  if (kinds == nullptr) {
    return expected("a list of event kinds", v);
  }
  for (const std::string& kind : *kinds) {
    if (std::find(known.begin(), known.end(), kind) == known.end()) {
      const std::string near = closest(kind, known);
      return Error("\"" + shortened(kind) + "\" is not a kind of event" +
                   (near.empty() ? "" : "; did you mean " + near + "?"));
    }
  }
  s.notify.events = *kinds;
  return {};
}

std::vector<ConfigKey> policy_keys() {
  return {
      {"policy.eviction", "a plugin", "\"lru\"", true, "Which idle model goes first.",
       set_text(LLV_AT(policy.eviction))},
      {"policy.context", "a plugin", "\"tier_context\"", true, "How large the context of a load is.",
       set_text(LLV_AT(policy.context))},
      {"policy.notify", "a list of plugins", "[\"desktop\"]", true, "Who is told about events.",
       set_list(LLV_AT(policy.notify))},
      {"policy.shadow", "a plugin", "\"\"", true,
       "An eviction policy that answers beside the one in charge and never acts; empty: none.",
       set_text(LLV_AT(policy.shadow))},
      {"policy.thrash_window", "a duration", "\"2m\"", true,
       "A model that was evicted and loaded again within this goes after the others next time; 0: off.",
       set_time(LLV_AT(policy.thrash_window))},
      {"policy.deadline", "a duration", "\"50ms\"", true,
       "How long a policy may think; then the built-in one decides.", set_time(LLV_AT(policy.deadline), 1ms)},
      {"policy.notify_deadline", "a duration", "\"5s\"", true, "How long a notifier may take.",
       set_time(LLV_AT(policy.notify_deadline), 1ms)},
      {"notify.events", "a list of event kinds",
       "[\"eviction\", \"eviction_failed\", \"server_down\", \"plugin_failed\"]", true,
       "Which events are worth a notification.", &set_event_kinds},
      {"notify.coalesce", "a duration", "\"2s\"", true, "Events within this window become one notification.",
       set_time(LLV_AT(notify.coalesce))},
      {"log.level", "one of \"debug\", \"info\", \"warn\", \"error\"", "\"info\"", true,
       "How much llamavisor itself says.", set_one_of(LLV_AT(log.level), {"debug", "info", "warn", "error"})},
      {"log.file", "a path", "\"\"", false,
       "Where the server's output is kept; empty: ollama.log in the state folder.",
       set_text(LLV_AT(log.file))},
      {"log.max_size", "a size", "\"10MB\"", false, "Size at which that file is rotated.",
       set_bytes(LLV_AT(log.max_bytes))},
      {"log.files", "a whole number", "3", false, "How many rotated files are kept.",
       set_count(LLV_AT(log.files), 1, 100)},
      {"history.enabled", "true or false", "true", false,
       "Keep which model was asked for when and how long it took, for llamavisor simulate; no text.",
       set_flag(LLV_AT(history.enabled))},
      {"history.keep_age", "a duration", "\"30d\"", false, "What is older is removed; 0: nothing is.",
       set_time(LLV_AT(history.keep_age))},
      {"history.max_size", "a size", "\"64MB\"", false, "The oldest is removed when the file is larger.",
       set_bytes(LLV_AT(history.max_bytes))},
      {"plugins.dirs", "a list of paths", "[]", false,
       "Folders with plugins, besides the one that was installed.", set_list(LLV_AT(plugin_dirs))},
  };
}
#undef LLV_AT

std::vector<ConfigKey> all_keys() {
  std::vector<ConfigKey> out;
  for (auto part : {server_keys(), gateway_keys(), memory_keys(), policy_keys()}) {
    std::move(part.begin(), part.end(), std::back_inserter(out));
  }
  return out;
}

constexpr std::int64_t kMaxPriority = 1000;

Result<void> set_priority(ModelRule& rule, const ConfigValue& v) {
  const auto* number = std::get_if<std::int64_t>(&v);
  if (number == nullptr || *number < -kMaxPriority || *number > kMaxPriority) {
    return expected("a whole number from -1000 to 1000", v);
  }
  rule.priority = static_cast<std::int32_t>(*number);
  return {};
}

Result<void> set_model_limit(ModelRule& rule, const ConfigValue& v) {
  const auto* text = std::get_if<std::string>(&v);
  const auto bytes = text == nullptr ? Result<std::uint64_t>(Error("")) : parse_bytes(*text);
  if (!bytes || *bytes == 0) {
    return expected("a size such as \"4GB\"", v);
  }
  rule.limit_bytes = *bytes;
  return {};
}

Result<void> set_group(std::optional<std::string>& to, const ConfigValue& v) {
  const auto* text = std::get_if<std::string>(&v);
  if (text == nullptr) {
    return expected("the name of a group", v);
  }
  to = *text;
  return {};
}

template <class T>
Result<void> set_optional_count(std::optional<T>& to, const ConfigValue& v) {
  const auto* number = std::get_if<std::int64_t>(&v);
  if (number == nullptr || *number < 1 || *number > kMaxU32) {
    return expected("a whole number of at least 1", v);
  }
  to = static_cast<T>(*number);
  return {};
}

// TOML allows no control character but the tab in a quoted text.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (c == '\n') {
      out += "\\n";
    } else if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned>(byte));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// The shortest text that reads as the same number, and as a real one.
std::string real_text(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  const std::string out(text.data(), end);
  return out.find_first_of(".einf") == std::string::npos ? out + ".0" : out;
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = all_keys();
  return keys;
}

const ConfigKey* find_config_key(const std::string& name) {
  const auto& keys = config_keys();
  const auto it =
      std::find_if(keys.begin(), keys.end(), [&](const ConfigKey& key) { return key.name == name; });
  return it == keys.end() ? nullptr : &*it;
}

std::vector<std::string> config_key_names() {
  std::vector<std::string> out;
  for (const ConfigKey& key : config_keys()) {
    out.push_back(key.name);
  }
  return out;
}

const std::vector<ModelKey>& model_keys() {
  static const std::vector<ModelKey> keys{
      {"pin", "true or false", "Never evicted.",
       [](ModelRule& rule, const ConfigValue& v) -> Result<void> {
         if (!std::holds_alternative<bool>(v)) {
           return expected("true or false", v);
         }
         rule.pin = std::get<bool>(v);
         return {};
       }},
      {"keep_alive", "a duration, or \"-1\" for ever", "Wins over what clients ask for.",
       [](ModelRule& rule, const ConfigValue& v) -> Result<void> {
         auto parsed = parse_keep_alive(v);
         if (!parsed) {
           return parsed.error();
         }
         rule.keep_alive = *parsed;
         return {};
       }},
      {"num_ctx", "a whole number", "Context for requests that ask for none.",
       [](ModelRule& rule, const ConfigValue& v) { return set_optional_count(rule.num_ctx, v); }},
      {"max_num_ctx", "a whole number", "The most that a client can ask for.",
       [](ModelRule& rule, const ConfigValue& v) { return set_optional_count(rule.max_num_ctx, v); }},
      {"priority", "a whole number", "Models of a lower priority are evicted first; 0 unless set.",
       set_priority},
      {"together", "the name of a group", "Models of one such group are evicted together or not at all.",
       [](ModelRule& rule, const ConfigValue& v) { return set_group(rule.together, v); }},
      {"exclusive", "the name of a group", "At most one model of such a group is loaded at a time.",
       [](ModelRule& rule, const ConfigValue& v) { return set_group(rule.exclusive, v); }},
      {"limit", "a size", "What this model alone may hold: larger loads are refused, a grown one goes.",
       set_model_limit},
  };
  return keys;
}

Result<LimitSpec> parse_limit(const std::string& text) {
  LimitSpec out;
  if (text == "auto") {
    return out;
  }
  if (!text.empty() && text.back() == '%') {
    out.kind = LimitSpec::Kind::percent;
    const auto [end, error] =
        std::from_chars(text.data(), &text.back(), out.percent, std::chars_format::fixed);
    if (error == std::errc() && end == &text.back() && out.percent >= 1 && out.percent <= 100) {
      return out;
    }
    return Error("\"" + text + "\" is not a percentage from 1% to 100%");
  }
  const auto bytes = parse_bytes(text);
  if (!bytes || *bytes < kSmallestLimit) {
    return Error("\"" + text + "\" is not a limit" + (bytes ? ": it is below 1 MB" : ""),
                 "write a size such as \"12GB\", a percentage such as \"60%\", or \"auto\"");
  }
  out.kind = LimitSpec::Kind::bytes;
  out.bytes = *bytes;
  return out;
}

Result<KeepAlive> parse_keep_alive(const ConfigValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* number = std::get_if<std::int64_t>(&value);
  const std::string words = text != nullptr ? *text : number != nullptr ? std::to_string(*number) : "";
  const bool forever = words.starts_with('-');
  const auto duration = parse_duration(std::string_view(words).substr(forever ? 1 : 0));
  if (!duration) {
    return expected("a duration such as \"5m\", or \"-1\" for ever", value);
  }
  return forever ? KeepAlive{milliseconds(0), true} : KeepAlive{*duration, false};
}

std::uint64_t resolve_limit(const LimitSpec& limit, std::uint64_t machine_bytes) {
  if (limit.kind == LimitSpec::Kind::bytes) {
    return limit.bytes;
  }
  const double percent = limit.kind == LimitSpec::Kind::percent ? limit.percent : 60;
  const auto share = static_cast<std::uint64_t>(static_cast<double>(machine_bytes) * percent / 100);
  const std::uint64_t spare = 1ULL << 30U;
  const bool automatic = limit.kind == LimitSpec::Kind::automatic && machine_bytes > 2 * spare;
  return automatic ? std::min(share, machine_bytes - spare) : share;
}

std::string to_toml(const ConfigValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag ? "true" : "false";
  }
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return std::to_string(*number);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return real_text(*real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return quoted(*text);
  }
  std::string out = "[";
  for (const std::string& item : std::get<std::vector<std::string>>(value)) {
    out += (out.size() > 1 ? ", " : "") + quoted(item);
  }
  return out + "]";
}

}  // namespace llamavisor
