#include "ollama/wire.h"

#include <boost/json.hpp>
#include <charconv>
#include <limits>

#include "domain/model.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kShownBytes = 200;

Result<json::object> parse_object(std::string_view body, const char* what) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code ec;
  json::value value = json::parse({body.data(), body.size()}, ec, {}, options);
  if (ec) {
    return Error(std::string(what) + " is not JSON: " + ec.message());
  }
  if (!value.is_object()) {
    return Error(std::string(what) + " is not a JSON object");
  }
  return std::move(value.get_object());
}

std::string text_in(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<std::uint64_t> count_in(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  boost::system::error_code ec;
  const auto count = value != nullptr && value->is_number() ? value->to_number<std::uint64_t>(ec) : 0;
  return value != nullptr && value->is_number() && !ec ? std::optional(count) : std::nullopt;
}

std::optional<std::uint64_t> positive(std::optional<std::uint64_t> count) {
  return count.value_or(0) > 0 ? count : std::nullopt;
}

LoadedModel model_in(const json::object& entry, const std::string& name) {
  LoadedModel out;
  out.name = canonical_model_name(name);
  out.digest = text_in(entry, "digest");
  out.size_bytes = positive(count_in(entry, "size"));
  if (out.size_bytes) {  // without a size, 0 VRAM means nothing either
    out.vram_bytes = count_in(entry, "size_vram");
  }
  out.expires_at = parse_rfc3339(text_in(entry, "expires_at"));
  const auto num_ctx = positive(count_in(entry, "context_length"));
  if (num_ctx && *num_ctx <= std::numeric_limits<std::uint32_t>::max()) {
    out.num_ctx = static_cast<std::uint32_t>(*num_ctx);
  }
  return out;
}

// Reads fixed digits and separators off the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  int digits(std::size_t count) {
    int out = 0;
    const std::string_view part = rest_.substr(0, count);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), out);
    ok_ = ok_ && part.size() == count && error == std::errc() && end == part.data() + count && part[0] != '-';
    rest_.remove_prefix(part.size());
    return out;
  }
  bool skip(std::string_view any_of) {
    const bool hit = !rest_.empty() && any_of.find(rest_.front()) != std::string_view::npos;
    rest_.remove_prefix(hit ? 1 : 0);
    return hit;
  }
  void expect(std::string_view any_of) { ok_ = skip(any_of) && ok_; }
  std::chrono::nanoseconds fraction() {
    std::int64_t out = 0;
    std::int64_t unit = 100'000'000;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; rest_.remove_prefix(1)) {
      out += (rest_.front() - '0') * unit;
      unit /= 10;
    }
    return std::chrono::nanoseconds(out);
  }
  std::chrono::seconds offset() {
    if (skip("Zz")) {
      return {};
    }
    const bool west = !rest_.empty() && rest_.front() == '-';
    expect("+-");
    const std::chrono::hours hours(digits(2));
    expect(":");
    const std::chrono::seconds out = hours + std::chrono::minutes(digits(2));
    return west ? -out : out;
  }
  [[nodiscard]] bool good() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

json::value keep_alive_json(const KeepAlive& keep_alive) {
  if (keep_alive.forever) {
    return -1;
  }
  return json::string(std::to_string(keep_alive.duration.count()) + "ms");
}

}  // namespace

Result<std::vector<LoadedModel>> parse_ps(std::string_view body) {
  const auto object = parse_object(body, "the answer to /api/ps");
  if (!object) {
    return object.error();
  }
  const json::value* models = object->if_contains("models");
  if (models == nullptr) {
    return Error("the answer to /api/ps has no \"models\"");
  }
  std::vector<LoadedModel> out;
  if (models->is_null()) {
    return out;
  }
  if (!models->is_array()) {
    return Error("\"models\" in the answer to /api/ps is not a list");
  }
  for (const json::value& entry : models->get_array()) {
    const json::object* fields = entry.if_object();
    const std::string name = fields == nullptr ? "" : text_in(*fields, "name");
    const std::string fallback = fields == nullptr ? "" : text_in(*fields, "model");
    if (!name.empty() || !fallback.empty()) {
      out.push_back(model_in(*fields, name.empty() ? fallback : name));
    }
  }
  return out;
}

Result<std::string> parse_version(std::string_view body) {
  const auto object = parse_object(body, "the answer to /api/version");
  if (!object) {
    return object.error();
  }
  std::string version = text_in(*object, "version");
  if (version.empty()) {
    return Error("the answer to /api/version names no version");
  }
  return ok(std::move(version));
}

std::string parse_error_text(std::string_view body) {
  const auto object = parse_object(body, "the error");
  const std::string text = object ? text_in(*object, "error") : std::string();
  return text.empty() ? std::string(body.substr(0, kShownBytes)) : text;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  Cursor in(text);
  const std::chrono::year year(in.digits(4));
  in.expect("-");
  const std::chrono::month month(static_cast<unsigned>(in.digits(2)));
  in.expect("-");
  const std::chrono::day day(static_cast<unsigned>(in.digits(2)));
  in.expect("Tt ");
  std::chrono::seconds of_day = std::chrono::hours(in.digits(2));
  in.expect(":");
  of_day += std::chrono::minutes(in.digits(2));
  in.expect(":");
  of_day += std::chrono::seconds(in.digits(2));
  const auto fraction = in.skip(".") ? in.fraction() : std::chrono::nanoseconds(0);
  const auto offset = in.offset();
  const std::chrono::year_month_day date(year, month, day);
  if (!in.good() || !date.ok() || year <= std::chrono::year(1970)) {
    return std::nullopt;
  }
  const auto seconds = std::chrono::sys_days(date).time_since_epoch() + of_day - offset;
  if (seconds >= std::chrono::floor<std::chrono::seconds>(WallTime::max().time_since_epoch())) {
    return WallTime::max();
  }
  return WallTime(std::chrono::duration_cast<WallTime::duration>(seconds + fraction));
}

std::string unload_body(const std::string& model) {
  return json::serialize(json::object{{"model", model}, {"keep_alive", 0}, {"stream", false}});
}

std::string keep_alive_body(const std::string& model, const KeepAlive& keep_alive,
                            std::optional<std::uint32_t> num_ctx) {
  json::object out{{"model", model}, {"keep_alive", keep_alive_json(keep_alive)}, {"stream", false}};
  if (num_ctx) {
    out["options"] = json::object{{"num_ctx", *num_ctx}};
  }
  return json::serialize(out);
}

}  // namespace llamavisor
