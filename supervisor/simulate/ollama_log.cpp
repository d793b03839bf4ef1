#include "simulate/ollama_log.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cmath>
#include <ctime>
#include <map>

namespace llamavisor {
namespace {

namespace json = boost::json;
constexpr double kSameMoment = 2;            // seconds: the log's times are whole ones
constexpr double kForEver = 3650 * 86400.0;  // an expires_at that far away tells no last use

struct Served {
  double end = 0;  // seconds since 1970
  double took = 0;
  std::string model;  // empty: not known
};
struct Listed {
  std::string name;
  std::uint64_t bytes = 0;
  double expires = 0;
};
struct Sample {
  double at = 0;
  std::vector<Listed> models;
};

bool is_inference(const std::string& line) {
  constexpr std::array<const char*, 9> kPaths{
      "\"/api/generate\"",        "\"/api/chat\"",       "\"/api/embed\"",     "\"/api/embeddings\"",
      "\"/v1/chat/completions\"", "\"/v1/completions\"", "\"/v1/embeddings\"", "\"/v1/responses\"",
      "\"/v1/messages\""};
  return line.find("| 200 |") != std::string::npos && line.find("POST ") != std::string::npos &&
         std::any_of(kPaths.begin(), kPaths.end(),
                     [&](const char* path) { return line.find(path) != std::string::npos; });
}

// Go's durations: "1.5s", "250ms", "2m3.5s", "870.2\u00b5s".
std::optional<double> go_duration(std::string text) {
  double sum = 0;
  std::size_t from = text.find_first_not_of(' ');
  bool any = false;
  while (from < text.size() && text[from] != ' ') {
    std::size_t used = 0;
    double value = 0;
    try {
      value = std::stod(text.substr(from), &used);
    } catch (const std::exception&) {
      return std::nullopt;
    }
    const std::string_view unit = std::string_view(text).substr(from + used);
    const std::size_t length = std::min(unit.find_first_of("0123456789. "), unit.size());
    const std::string_view name = unit.substr(0, length);
    const double factor = name == "h"           ? 3600
                          : name == "m"         ? 60
                          : name == "s"         ? 1
                          : name == "ms"        ? 1e-3
                          : name == "ns"        ? 1e-9
                          : name.ends_with("s") ? 1e-6
                                                : -1;
    if (factor < 0) {
      return std::nullopt;
    }
    sum += value * factor;
    from += used + length;
    any = true;
  }
  return any ? std::optional(sum) : std::nullopt;
}

// [GIN] 2025/01/31 - 12:00:00 | 200 |  1.234567s |  127.0.0.1 | POST     "/api/chat"
std::optional<Served> served(const std::string& line) {
  const std::size_t gin = line.find("[GIN] ");
  const std::size_t latency = line.find("| 200 |");
  std::tm when{};
  if (gin == std::string::npos || latency == std::string::npos || !is_inference(line) ||
      strptime(line.c_str() + gin + 6, "%Y/%m/%d - %H:%M:%S", &when) == nullptr) {
    return std::nullopt;
  }
  when.tm_isdst = -1;
  const auto took = go_duration(line.substr(latency + 7, line.find('|', latency + 7) - latency - 7));
  return took ? std::optional(Served{static_cast<double>(std::mktime(&when)), *took, ""}) : std::nullopt;
}

// "2025-01-31T12:05:00.123456789+01:00"
std::optional<double> rfc3339(const std::string& text) {
  std::tm when{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &when);
  if (rest == nullptr) {
    return std::nullopt;
  }
  double out = static_cast<double>(timegm(&when));
  char* end = nullptr;
  out += *rest == '.' ? std::strtod(rest, &end) : 0;
  rest = end != nullptr ? end : rest;
  int hours = 0;
  int minutes = 0;
  if ((*rest == '+' || *rest == '-') && std::sscanf(rest + 1, "%2d:%2d", &hours, &minutes) == 2) {
    out -= (*rest == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
  }
  return out;
}

std::optional<Listed> listed(const json::value& entry) {
  const auto* object = entry.if_object();
  const json::value* name = object == nullptr ? nullptr : object->if_contains("name");
  const json::value* expires = object == nullptr ? nullptr : object->if_contains("expires_at");
  if (name == nullptr || !name->is_string() || expires == nullptr || !expires->is_string()) {
    return std::nullopt;
  }
  const auto time = rfc3339(std::string(expires->as_string()));
  const json::value* size = object->if_contains("size");
  boost::system::error_code ec;
  const auto bytes = size == nullptr ? 0 : size->to_number<std::uint64_t>(ec);
  return time ? std::optional(Listed{std::string(name->as_string()), ec ? 0 : bytes, *time}) : std::nullopt;
}

std::optional<Sample> sample_of(const std::string& line) {
  boost::system::error_code ec;
  const json::value value = json::parse(line, ec);
  const auto* object = ec ? nullptr : value.if_object();
  const json::value* at = object == nullptr ? nullptr : object->if_contains("at");
  const json::value* models = object == nullptr ? nullptr : object->if_contains("models");
  if (at == nullptr || !at->is_number() || models == nullptr || !(models->is_array() || models->is_null())) {
    return std::nullopt;
  }
  Sample out{at->to_number<double>(), {}};
  for (const json::value& entry : models->is_array() ? models->as_array() : json::array()) {
    if (auto model = listed(entry)) {
      out.models.push_back(std::move(*model));
    }
  }
  return out;
}

double median(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

class Importer {
 public:
  Importer(std::vector<Served> served, std::vector<Sample> samples)
      : served_(std::move(served)), samples_(std::move(samples)) {
    const auto by_end = [](const Served& a, const Served& b) { return a.end < b.end; };
    std::stable_sort(served_.begin(), served_.end(), by_end);
    std::stable_sort(samples_.begin(), samples_.end(),
                     [](const Sample& a, const Sample& b) { return a.at < b.at; });
  }

  ImportedTrace run() {
    find_keep_alive();
    for (Served& one : served_) {
      name_model(one);
    }
    measure();
    for (const Served& one : served_) {
      add(one);
    }
    std::stable_sort(out_.trace.requests.begin(), out_.trace.requests.end(),
                     [](const TraceRequest& a, const TraceRequest& b) { return a.at < b.at; });
    return std::move(out_);
  }

 private:
  struct Seen {
    std::uint64_t bytes = 0;
    std::vector<double> warm;   // seconds that requests took
    std::vector<double> first;  // of those that found it not loaded
  };

  // The first sample that can show a request which ended then; the log cuts the end down to a whole second.
  [[nodiscard]] std::vector<Sample>::const_iterator sample_after(double end) const {
    return std::lower_bound(samples_.begin(), samples_.end(), end + 1,
                            [](const Sample& sample, double at) { return sample.at < at; });
  }

  void find_keep_alive() {
    std::vector<double> found;
    for (const Sample& sample : samples_) {
      const auto next = std::upper_bound(served_.begin(), served_.end(), sample.at - 1,
                                         [](double at, const Served& one) { return at < one.end; });
      double latest = 0;
      for (const Listed& model : sample.models) {
        latest = model.expires - sample.at < kForEver ? std::max(latest, model.expires) : latest;
      }
      if (next != served_.begin() && latest > 0) {
        found.push_back(latest - std::prev(next)->end);
      }
    }
    keep_alive_ = median(std::move(found));
  }

  void name_model(Served& one) {
    const auto sample = sample_after(one.end);
    if (sample == samples_.end() || sample->models.empty()) {
      return;
    }
    const auto distance = [&](const Listed& model) {
      const double last_use = model.expires - keep_alive_;
      return last_use < one.end - kSameMoment ? kForEver : std::abs(last_use - one.end);
    };
    const auto nearest =
        std::min_element(sample->models.begin(), sample->models.end(),
                         [&](const Listed& a, const Listed& b) { return distance(a) < distance(b); });
    one.model = nearest->name;
    out_.guessed += sample->models.size() > 1 && distance(*nearest) > kSameMoment ? 1U : 0U;
  }

  // True: no sample before the request's end lists the model since the last one that could.
  [[nodiscard]] bool was_absent(const Served& one) const {
    const auto after = std::lower_bound(samples_.begin(), samples_.end(), one.end - one.took,
                                        [](const Sample& sample, double at) { return sample.at < at; });
    if (after == samples_.begin()) {
      return false;
    }
    const auto& before = std::prev(after)->models;
    return std::none_of(before.begin(), before.end(),
                        [&](const Listed& model) { return model.name == one.model; });
  }

  void measure() {
    std::map<std::string, double> loaded_by;  // the sample up to which a load of it was counted
    for (const Served& one : served_) {
      const auto sample = sample_after(one.end);
      if (one.model.empty()) {
        continue;
      }
      Seen& seen = seen_[one.model];
      const bool first = was_absent(one) && loaded_by[one.model] < one.end;
      (first ? seen.first : seen.warm).push_back(one.took);
      loaded_by[one.model] = first ? sample->at : loaded_by[one.model];
    }
    for (const Sample& sample : samples_) {
      for (const Listed& model : sample.models) {
        seen_[model.name].bytes = std::max(seen_[model.name].bytes, model.bytes);
      }
    }
  }

  static std::chrono::milliseconds ms(double seconds) {
    return std::chrono::milliseconds(std::llround(std::max(seconds, 0.0) * 1000));
  }

  void add(const Served& one) {
    const auto seen = seen_.find(one.model);
    if (one.model.empty() || seen->second.bytes == 0 || seen->second.first.empty()) {
      ++out_.left_out;
      return;
    }
    const double warm = median(seen->second.warm);
    const auto [index, fresh] =
        index_.try_emplace(one.model, static_cast<std::uint32_t>(out_.trace.models.size()));
    if (fresh) {
      out_.trace.models.push_back(
          {one.model, seen->second.bytes, ms(median(seen->second.first) - warm), stand_in_blob(one.model)});
    }
    out_.trace.requests.push_back({ms(one.end - one.took), ms(warm > 0 ? std::min(warm, one.took) : one.took),
                                   std::nullopt, index->second});
  }

  std::vector<Served> served_;
  std::vector<Sample> samples_;
  double keep_alive_ = 0;
  std::map<std::string, Seen> seen_;
  std::map<std::string, std::uint32_t> index_;
  ImportedTrace out_;
};

}  // namespace

Result<ImportedTrace> import_ollama_log(std::istream& access_log, std::istream& samples) {
  std::vector<Served> all;
  for (std::string line; std::getline(access_log, line);) {
    if (auto one = served(line)) {
      all.push_back(std::move(*one));
    }
  }
  std::vector<Sample> looks;
  std::size_t number = 0;
  for (std::string line; std::getline(samples, line);) {
    auto sample = sample_of(line);
    ++number;
    if (!sample) {
      return Error("line " + std::to_string(number) + " is not a sample of /api/ps with the time as \"at\"");
    }
    looks.push_back(std::move(*sample));
  }
  return Importer(std::move(all), std::move(looks)).run();
}

}  // namespace llamavisor
