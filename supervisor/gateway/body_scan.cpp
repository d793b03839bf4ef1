#include "gateway/body_scan.h"

#include <simdjson.h>

#include "base/units.h"

namespace llamavisor {
namespace {

namespace ondemand = simdjson::ondemand;

// Go folds keys by Unicode's simple folding: besides A-Z, U+017F is an s and U+212A (Kelvin) is a k.
std::string go_fold(std::string_view key) {
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const std::string_view rest = key.substr(i);
    if (rest.starts_with("\xC5\xBF")) {
      out.push_back('s');
      i += 1;
    } else if (rest.starts_with("\xE2\x84\xAA")) {
      out.push_back('k');
      i += 2;
    } else {
      const char c = key[i];
      out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    }
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? text.substr(0, 0) : text.substr(0, end + 1);
}

// One pass over a document. Every step answers with simdjson's error, so that the first one ends the scan.
class Pass {
 public:
  explicit Pass(std::string_view body) : body_(body) {}

  simdjson::error_code run(ondemand::document& document) {
    ondemand::object top;
    if (const auto error = document.get_object().get(top)) {
      return error;
    }
    facts.object_begin = body_.find('{') + 1;
    const std::size_t first = body_.find_first_not_of(" \t\r\n", facts.object_begin);
    facts.object_empty = first != std::string_view::npos && body_[first] == '}';
    for (auto field : top) {
      if (const auto error = take(field)) {
        return error;
      }
    }
    return simdjson::SUCCESS;
  }

  BodyFacts facts;

 private:
  simdjson::error_code take(simdjson::simdjson_result<ondemand::field>& field) {
    std::string_view key;
    ondemand::value value;
    if (const auto error = field.unescaped_key().get(key)) {
      return error;
    }
    const std::string name = go_fold(key);
    if (const auto error = field.value().get(value)) {
      return error;
    }
    if (name == "model") {
      return take_model(value);
    }
    if (name == "options") {
      return take_options(value);
    }
    if (name == "keep_alive") {
      return take_keep_alive(value);
    }
    if (name == "truncate") {
      return take_truncate(value);
    }
    if (name == "prompt" || name == "messages" || name == "input" || name == "images") {
      return take_prompt(value);
    }
    return simdjson::SUCCESS;
  }

  [[nodiscard]] Span span_of(ondemand::value& value) const {
    const std::string_view raw = trimmed(value.raw_json_token());
    return {static_cast<std::size_t>(raw.data() - body_.data()), raw.size()};
  }

  simdjson::error_code take_model(ondemand::value& value) {
    std::string_view text;
    if (const auto error = value.get_string().get(text)) {
      return error;
    }
    facts.model = text;
    return simdjson::SUCCESS;
  }

  simdjson::error_code take_options(ondemand::value& value) {
    const Span at = span_of(value);
    facts.options_at = at;
    facts.options_empty = false;
    bool null = false;  // asking is_null() for a bool throws when a word only begins like null
    if (const auto error = value.is_null().get(null)) {
      return error;
    }
    if (null) {  // Go sets the map to nil: what came before is gone
      facts.num_ctx.reset();
      facts.num_ctx_at.reset();
      return simdjson::SUCCESS;
    }
    ondemand::object options;
    if (const auto error = value.get_object().get(options)) {
      return error;
    }
    facts.options_at->size = 1;
    facts.options_empty = true;
    for (auto field : options) {
      facts.options_empty = false;
      if (const auto error = take_option(field)) {
        return error;
      }
    }
    return simdjson::SUCCESS;
  }

  simdjson::error_code take_option(simdjson::simdjson_result<ondemand::field>& field) {
    std::string_view key;
    ondemand::value value;
    if (const auto error = field.unescaped_key().get(key)) {
      return error;
    }
    const bool wanted = key == "num_ctx";
    if (const auto error = field.value().get(value)) {
      return error;
    }
    if (!wanted) {
      return simdjson::SUCCESS;
    }
    const Span at = span_of(value);
    facts.num_ctx_at = at;
    facts.num_ctx.reset();
    double number = 0;  // 4096 and 4.096e3 are both read by Go as float64
    if (value.get_double().get(number) == simdjson::SUCCESS && number >= 1 && number <= 4294967295.0) {
      facts.num_ctx = static_cast<std::uint32_t>(number);
    }
    return simdjson::SUCCESS;
  }

  simdjson::error_code take_keep_alive(ondemand::value& value) {
    const Span at = span_of(value);
    facts.keep_alive_at = at;
    std::string_view text = body_.substr(at.begin, at.size);
    if (text.size() >= 2 && text.front() == '"') {
      text = text.substr(1, text.size() - 2);
    }
    const auto duration = parse_duration(text);
    facts.keep_alive_zero = duration && duration->count() == 0;
    return simdjson::SUCCESS;
  }

  simdjson::error_code take_truncate(ondemand::value& value) {
    facts.truncate_at = span_of(value);
    facts.truncate_said = body_.substr(facts.truncate_at->begin, facts.truncate_at->size) != "null";
    return simdjson::SUCCESS;
  }

  simdjson::error_code take_prompt(ondemand::value& value) {
    const Span at = span_of(value);
    const std::string_view token = body_.substr(at.begin, at.size);
    const std::size_t inside = body_.find_first_not_of(" \t\r\n", at.begin + 1);
    const bool empty_list =
        token.starts_with('[') && inside != std::string_view::npos && body_[inside] == ']';
    facts.has_prompt = facts.has_prompt || !(empty_list || token == "null" || token == "\"\"");
    return simdjson::SUCCESS;
  }

  std::string_view body_;
};

}  // namespace

constexpr std::size_t kMaxKeptBytes = 1U << 20U;

struct BodyScanner::Parser {
  ondemand::parser json;
};

BodyScanner::BodyScanner() : parser_(std::make_unique<Parser>()) {}
BodyScanner::~BodyScanner() = default;

std::optional<BodyFacts> BodyScanner::scan(std::string& body) {
  body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  ondemand::document document;
  const simdjson::padded_string_view view(body.data(), body.size(), body.capacity());
  if (parser_->json.iterate(view).get(document) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  Pass pass(body);
  const bool read = pass.run(document) == simdjson::SUCCESS && !pass.facts.model.empty();
  if (parser_->json.capacity() > kMaxKeptBytes) {  // what one large body took is not kept
    parser_->json = ondemand::parser();
  }
  return read ? std::optional(std::move(pass.facts)) : std::nullopt;
}

}  // namespace llamavisor
