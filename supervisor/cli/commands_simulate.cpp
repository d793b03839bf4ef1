#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "app/loaded_config.h"
#include "base/file.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "simulate/make_trace.h"
#include "simulate/report.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

int usage(const Error& error) {
  std::fprintf(stderr, "llamavisor: %s\n", error.text().c_str());
  return kUsage;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream in(list);
  for (std::string item; std::getline(in, item, ',');) {
    if (!item.empty()) {
      out.push_back(item);
    }
  }
  return out;
}

Result<Trace> from_file(const std::string& path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) {
      return Error("could not read " + path);
    }
  }
  auto trace = read_trace(path == "-" ? std::cin : file);
  return trace ? std::move(trace) : Result<Trace>(trace.error().within(path));
}

Result<Trace> trace_of(const SimulateOptions& options) {
  const int sources = static_cast<int>(!options.from.empty()) + static_cast<int>(!options.make.empty());
  if (sources != 1) {
    return Error("name one source of requests", "--from FILE or --make KIND");
  }
  return options.from.empty() ? make_trace(options.make, options.seed, options.requests)
                              : from_file(options.from);
}

std::string name_of(const SimulateOptions& options) {
  return options.from.empty() ? options.make + ", seed " + std::to_string(options.seed) : options.from;
}

// A line that is drawn over itself, at most ten times a second, and wiped at the end.
class ProgressLine {
 public:
  ProgressLine() = default;
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (drawn_) {
      std::fputs("\r\x1b[K", stderr);
    }
  }
  void show(double share) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(100)) {
      return;
    }
    last_ = now;
    drawn_ = true;
    std::fprintf(stderr, "\r%s %3.0f %%", Terminal::detect().bar(share, 30).c_str(), share * 100);
  }

 private:
  bool shown_ = isatty(STDERR_FILENO) != 0;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

// What the options ask for. Errors: a limit that is none.
Result<Study> study_of(const SimulateOptions& options, const LoadedConfig& config) {
  Study out;
  out.policies = split(options.policies);
  out.settings = config.settings;
  out.plugin_dirs = {plugin_dir()};
  out.plugin_dirs.insert(out.plugin_dirs.end(), config.settings.plugin_dirs.begin(),
                         config.settings.plugin_dirs.end());
  for (const std::string& text : split(options.limits)) {
    const auto bytes = parse_bytes(text);
    if (!bytes || *bytes == 0) {
      return Error("--limit: " + text + " is not a size", "like 6GB,8GB");
    }
    out.limits_bytes.push_back(*bytes);
  }
  if (out.limits_bytes.empty()) {
    out.limits_bytes.push_back(config.limit_bytes());
  }
  return out;
}

int print_study(const SimulateOptions& options, const Trace& trace, const StudyResult& result) {
  if (!options.svg.empty()) {
    if (const auto written = write_file_atomically(options.svg, study_svg(name_of(options), result));
        !written) {
      std::fprintf(stderr, "llamavisor: %s\n", written.error().text().c_str());
      return kFailed;
    }
  }
  if (options.as_json) {
    return print_json(study_json(trace, name_of(options), result));
  }
  std::printf("%s\n\n%s\n(%s)\n", trace_summary(trace, name_of(options)).c_str(),
              table(study_rows(result)).c_str(), kBoundIs);
  return kDone;
}

}  // namespace

int run_simulate(const SimulateOptions& options) {
  const auto trace = trace_of(options);
  if (!trace) {
    return usage(trace.error());
  }
  if (options.print_trace) {
    write_trace(*trace, std::cout);
    return std::cout.flush() ? kDone : kFailed;
  }
  const auto config = LoadedConfig::load({});
  if (!config) {
    return usage(config.error());
  }
  auto study = study_of(options, *config);
  if (!study) {
    return usage(study.error());
  }
  auto line = std::make_unique<ProgressLine>();
  study->progress = [&line](double share) { line->show(share); };
  const auto result = run_study(*trace, *study);
  line.reset();
  if (!result) {
    return usage(result.error());
  }
  return print_study(options, *trace, *result);
}

}  // namespace llamavisor
