#include "simulate/trace.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <map>

namespace llamavisor {
namespace {

namespace json = boost::json;
constexpr std::size_t kMaxRequests = 10'000'000;
constexpr std::size_t kMaxModels = 10'000;
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMaxAtMs = 100 * 365 * kDayMs;  // a clock of nanoseconds holds 292 years
constexpr std::int64_t kMaxMs = 7 * kDayMs;            // of one load or answer

Result<std::int64_t> whole(const json::object& line, const char* key, std::int64_t least) {
  const json::value* value = line.if_contains(key);
  boost::system::error_code ec;
  const auto number = value == nullptr ? 0 : value->to_number<std::int64_t>(ec);
  if (value == nullptr || ec || number < least) {
    return Error(std::string(key) + " is missing, or not a whole number of at least " +
                 std::to_string(least));
  }
  return number;
}

Result<std::chrono::milliseconds> milliseconds(const json::object& line, const char* key,
                                               std::int64_t most = kMaxMs) {
  const auto number = whole(line, key, 0);
  if (!number) {
    return number.error();
  }
  return *number <= most ? Result<std::chrono::milliseconds>(*number)
                         : Error(std::string(key) + " is more than " + std::to_string(most));
}

std::string text(const json::object& line, const char* key) {
  const json::value* value = line.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

class Reader {
 public:
  Result<void> line(const std::string& text_line) {
    boost::system::error_code ec;
    const json::value value = json::parse(text_line, ec);
    if (ec || !value.is_object()) {
      return Error("not a JSON object");
    }
    return value.as_object().contains("use") ? request(value.as_object()) : model(value.as_object());
  }
  Trace take() {
    std::stable_sort(trace_.requests.begin(), trace_.requests.end(),
                     [](const TraceRequest& a, const TraceRequest& b) { return a.at < b.at; });
    return std::move(trace_);
  }

 private:
  Result<void> model(const json::object& line) {
    const std::string name = text(line, "model");
    const auto bytes = whole(line, "bytes", 1);
    const auto reload = milliseconds(line, "reload_ms");
    if (name.empty()) {
      return Error("neither a model (\"model\") nor a request (\"use\")");
    }
    if (!bytes || !reload) {
      return (bytes ? reload.error() : bytes.error()).within(name);
    }
    if (trace_.models.size() == kMaxModels ||
        !index_.emplace(name, static_cast<std::uint32_t>(trace_.models.size())).second) {
      return Error(name + " is there twice, or is more than the " + std::to_string(kMaxModels) +
                   " models that a trace may have");
    }
    const std::string blob = text(line, "blob");
    trace_.models.push_back(
        {name, static_cast<std::uint64_t>(*bytes), *reload, blob.empty() ? stand_in_blob(name) : blob});
    return {};
  }

  Result<void> request(const json::object& line) {
    const auto model = index_.find(text(line, "use"));
    const auto at = milliseconds(line, "at_ms", kMaxAtMs);
    const auto service = milliseconds(line, "service_ms");
    if (model == index_.end()) {
      return Error("a request for a model that no line before it describes");
    }
    if (!at || !service) {
      return (at ? service.error() : at.error()).within(model->first);
    }
    if (trace_.requests.size() == kMaxRequests) {
      return Error("more than " + std::to_string(kMaxRequests) + " requests");
    }
    TraceRequest request{*at, *service, std::nullopt, model->second};
    if (line.contains("keep_alive_ms")) {
      const auto keep_alive = whole(line, "keep_alive_ms", -kMaxAtMs);
      if (!keep_alive || *keep_alive > kMaxAtMs) {
        return Error("keep_alive_ms is not a whole number within 100 years");
      }
      request.keep_alive = std::chrono::milliseconds(*keep_alive);
    }
    trace_.requests.push_back(request);
    return {};
  }

  Trace trace_;
  std::map<std::string, std::uint32_t, std::less<>> index_;
};

}  // namespace

Result<Trace> read_trace(std::istream& in) {
  Reader reader;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) {
      continue;
    }
    if (const auto outcome = reader.line(line); !outcome) {
      return outcome.error().within("line " + std::to_string(number));
    }
  }
  return reader.take();
}

void write_trace(const Trace& trace, std::ostream& out) {
  for (const TraceModel& model : trace.models) {
    out << json::serialize(json::object{{"model", model.name},
                                        {"bytes", model.bytes},
                                        {"reload_ms", model.reload.count()},
                                        {"blob", model.blob}})
        << "\n";
  }
  for (const TraceRequest& request : trace.requests) {
    json::object line{{"at_ms", request.at.count()},
                      {"use", trace.models[request.model].name},
                      {"service_ms", request.service.count()}};
    if (request.keep_alive) {
      line["keep_alive_ms"] = request.keep_alive->count();
    }
    out << json::serialize(line) << "\n";
  }
}

// FNV-1a, 64 bits: spread as evenly as the SHA-256 that it stands for.
std::string stand_in_blob(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "stand-in:%016llx", static_cast<unsigned long long>(hash));
  return out.data();
}

}  // namespace llamavisor
