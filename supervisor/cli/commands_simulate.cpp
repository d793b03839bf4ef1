#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "app/loaded_config.h"
#include "base/file.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "simulate/history_trace.h"
#include "simulate/make_trace.h"
#include "simulate/ollama_log.h"
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

Result<Trace> from_history(const std::string& time) {
  const auto length = parse_duration(time);
  if (!length) {
    return length.error().within("--history");
  }
  const WallTime since = std::chrono::system_clock::now() - *length;
  auto db = HistoryDb::open_readonly(history_path());
  if (!db) {
    return Error(db.error().message, "llamavisor serve writes it, with [history] enabled = true");
  }
  const auto requests = db->requests(since);
  const auto loads = db->loads(WallTime{});  // a model may have been loaded long ago
  if (!requests || !loads) {
    return requests ? loads.error() : requests.error();
  }
  RecordedTrace out = llamavisor::trace_of(*requests, *loads);
  if (out.left_out > 0) {
    std::fprintf(stderr, "llamavisor: %zu requests are left out: no load of their models was measured\n",
                 out.left_out);
  }
  return std::move(out.trace);
}

Result<Trace> from_ollama(const std::string& log_path, const std::string& samples_path) {
  std::ifstream log(log_path);
  std::ifstream samples(samples_path);
  if (!log || !samples) {
    return Error("could not read " + (log ? samples_path : log_path));
  }
  auto imported = import_ollama_log(log, samples);
  if (!imported) {
    return imported.error().within(samples_path);
  }
  std::fprintf(stderr, "llamavisor: %zu requests; the models of %zu are a guess, %zu more are left out\n",
               imported->trace.requests.size(), imported->guessed, imported->left_out);
  return std::move(imported->trace);
}

Result<Trace> trace_of(const SimulateOptions& options) {
  int sources = 0;
  for (const std::string* source : {&options.from, &options.make, &options.history, &options.ollama_log}) {
    sources += source->empty() ? 0 : 1;
  }
  if (sources != 1) {
    return Error("name one source of requests",
                 "--from FILE, --history 7d, --ollama-log FILE or --make KIND");
  }
  if (!options.history.empty()) {
    return from_history(options.history);
  }
  if (!options.ollama_log.empty()) {
    return from_ollama(options.ollama_log, options.ollama_ps);
  }
  return options.from.empty() ? make_trace(options.make, options.seed, options.requests)
                              : from_file(options.from);
}

std::string name_of(const SimulateOptions& options) {
  if (!options.history.empty()) {
    return "history of " + options.history;
  }
  if (!options.ollama_log.empty()) {
    return options.ollama_log;
  }
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

int run_history_prune(const std::string& older_than) {
  const auto config = LoadedConfig::load({});
  if (!config) {
    return usage(config.error());
  }
  const HistorySettings& settings = config->settings.history;
  const auto age =
      older_than.empty() ? Result<std::chrono::milliseconds>(settings.keep_age) : parse_duration(older_than);
  if (!age) {
    return usage(age.error().within("--older-than"));
  }
  std::error_code ec;
  if (!std::filesystem::exists(history_path(), ec)) {
    std::puts("There is no history.");
    return kDone;
  }
  auto db = HistoryDb::open(history_path(), [](const std::string& aside) {
    std::fprintf(stderr, "llamavisor: the history was damaged; the old file is %s\n", aside.c_str());
  });
  // A written 0 means all of it; the setting's 0 means none.
  const auto now = std::chrono::system_clock::now();
  const auto at_least = older_than.empty() ? *age : std::max(*age, std::chrono::milliseconds(1));
  const auto removed =
      db ? db->prune({at_least, settings.max_bytes}, now) : Result<std::uint64_t>(db.error());
  if (!removed) {
    std::fprintf(stderr, "llamavisor: %s\n", removed.error().text().c_str());
    return kFailed;
  }
  std::printf("Removed %llu entries.\n", static_cast<unsigned long long>(*removed));
  return kDone;
}

}  // namespace llamavisor
