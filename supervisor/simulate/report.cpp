#include "simulate/report.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <cstdio>

#include "base/units.h"

namespace llamavisor {
namespace {

namespace json = boost::json;

std::string number(double value, const char* format = "%.0f") {
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), format, value);
  return out.data();
}
double seconds(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::chrono::milliseconds bound_of(const StudyResult& result, std::uint64_t limit_bytes) {
  const auto it = std::find_if(result.bounds.begin(), result.bounds.end(),
                               [&](const StudyBound& bound) { return bound.limit_bytes == limit_bytes; });
  return it == result.bounds.end() ? std::chrono::milliseconds(0) : it->reload;
}
std::uint64_t over_budget(const StudyRow& row) {
  return row.result.peak_bytes > row.limit_bytes ? row.result.peak_bytes - row.limit_bytes : 0;
}
// How many times the bound; 0: the bound is 0, or the policy did not keep to the limit.
double of_bound(const StudyResult& result, const StudyRow& row) {
  const double bound = seconds(bound_of(result, row.limit_bytes));
  return bound > 0 && over_budget(row) == 0 ? seconds(row.result.reload) / bound : 0;
}

std::string rect(double x, double y, double w, double h, const char* fill) {
  return "<rect x=\"" + number(x, "%.1f") + "\" y=\"" + number(y, "%.1f") + "\" width=\"" +
         number(w, "%.1f") + "\" height=\"" + number(h, "%.1f") + "\" fill=\"" + fill + "\"/>\n";
}
std::string label(double x, double y, const std::string& text, const char* more = "") {
  std::string safe;
  for (const char c : text) {
    safe += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  }
  return "<text x=\"" + number(x, "%.1f") + "\" y=\"" + number(y, "%.1f") + "\"" + more + ">" + safe +
         "</text>\n";
}

constexpr std::array<const char*, 8> kFills{"#4878a8", "#e08a3c", "#5aa05a", "#c0504d",
                                            "#8064a2", "#8c7853", "#d68fb8", "#7f7f7f"};
constexpr double kBar = 22;
constexpr double kHeight = 260;
constexpr double kTop = 40;

// The bars of one limit; `x` moves on behind them.
std::string group(const StudyResult& result, std::uint64_t limit, double most, double& x) {
  const double begin = x;
  std::string out;
  std::size_t nth = 0;
  for (const StudyRow& row : result.rows) {
    if (row.limit_bytes == limit) {
      const double height = kHeight * seconds(row.result.reload) / most;
      out += rect(x, kTop + kHeight - height, kBar - 4, height, kFills[nth++ % kFills.size()]);
      x += kBar;
    }
  }
  const double y = kTop + kHeight - kHeight * seconds(bound_of(result, limit)) / most;
  out += "<path stroke=\"#000\" stroke-dasharray=\"4 2\" d=\"M" + number(begin - 6, "%.1f") + " " +
         number(y, "%.1f") + " H" + number(x + 2, "%.1f") + "\"/>\n";
  out += label((begin + x) / 2, kTop + kHeight + 18, format_bytes(limit), " text-anchor=\"middle\"");
  x += kBar;
  return out;
}

}  // namespace

std::vector<std::vector<std::string>> study_rows(const StudyResult& result) {
  std::vector<std::vector<std::string>> out{
      {"LIMIT", "POLICY", "WARM", "LOADS", "RELOAD s", "x BOUND", "WAITED s", "OVER BUDGET"}};
  std::uint64_t limit = 0;
  for (const StudyRow& row : result.rows) {
    if (row.limit_bytes != limit) {
      limit = row.limit_bytes;
      out.push_back({format_bytes(limit), "(bound)", "", "", number(seconds(bound_of(result, limit)))});
    }
    const double warm = row.result.requests == 0 ? 0
                                                 : 100.0 * static_cast<double>(row.result.warm) /
                                                       static_cast<double>(row.result.requests);
    const double ratio = of_bound(result, row);
    out.push_back({"", row.policy, number(warm, "%.1f %%"), std::to_string(row.result.loads),
                   number(seconds(row.result.reload)), ratio > 0 ? number(ratio, "%.2f") : "-",
                   number(seconds(row.result.waited)),
                   over_budget(row) > 0 ? format_bytes(over_budget(row)) : "-"});
  }
  return out;
}

json::object study_json(const Trace& trace, const std::string& name, const StudyResult& result) {
  json::array rows;
  for (const StudyRow& row : result.rows) {
    json::array victims(row.result.victims.begin(), row.result.victims.end());
    rows.push_back(json::object{{"policy", row.policy},
                                {"limit_bytes", row.limit_bytes},
                                {"requests", row.result.requests},
                                {"warm", row.result.warm},
                                {"refused", row.result.refused},
                                {"loads", row.result.loads},
                                {"evictions", row.result.evictions},
                                {"reload_s", seconds(row.result.reload)},
                                {"waited_s", seconds(row.result.waited)},
                                {"peak_bytes", row.result.peak_bytes},
                                {"over_budget_bytes", over_budget(row)},
                                {"of_bound", of_bound(result, row)},
                                {"victims", std::move(victims)}});
  }
  json::array bounds;
  for (const StudyBound& bound : result.bounds) {
    bounds.push_back(json::object{{"limit_bytes", bound.limit_bytes}, {"reload_s", seconds(bound.reload)}});
  }
  return {
      {"trace",
       json::object{{"name", name}, {"models", trace.models.size()}, {"requests", trace.requests.size()}}},
      {"results", std::move(rows)},
      {"bounds", std::move(bounds)},
      {"bound", kBoundIs}};
}

std::string study_svg(const std::string& name, const StudyResult& result) {
  double most = 1;
  std::vector<std::string> policies;
  for (const StudyRow& row : result.rows) {
    most = std::max(most, seconds(row.result.reload));
    if (std::find(policies.begin(), policies.end(), row.policy) == policies.end()) {
      policies.push_back(row.policy);
    }
  }
  double x = 70;
  std::string body = label(10, 20, name + ": seconds of reloading; dashed: the offline bound");
  for (const StudyBound& bound : result.bounds) {
    body += group(result, bound.limit_bytes, most, x);
  }
  body += label(10, kTop + 8, number(most)) + label(10, kTop + kHeight, "0");
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const double y = kTop + 14 + 18 * static_cast<double>(i);
    body += rect(x, y - 10, 12, 12, kFills[i % kFills.size()]) + label(x + 18, y, policies[i]);
  }
  const double width = std::max(x + 150, 560.0);
  const double height = std::max(kTop + kHeight + 30, kTop + 18 * static_cast<double>(policies.size() + 1));
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width) + "\" height=\"" +
         number(height) + "\" font-family=\"sans-serif\" font-size=\"12\">\n" + body + "</svg>\n";
}

std::string trace_summary(const Trace& trace, const std::string& name) {
  std::uint64_t bytes = 0;
  for (const TraceModel& model : trace.models) {
    bytes += model.bytes;
  }
  const auto span = trace.requests.empty() ? std::chrono::milliseconds(0)
                                           : trace.requests.back().at - trace.requests.front().at;
  return name + ": " + std::to_string(trace.requests.size()) + " requests in " +
         number(seconds(span) / 86400, "%.1f") + " days for " + std::to_string(trace.models.size()) +
         " models of " + format_bytes(bytes) + " together";
}

}  // namespace llamavisor
