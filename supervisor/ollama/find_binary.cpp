#include "ollama/find_binary.h"

#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <vector>

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMend =
    "install Ollama, run packaging/quickstart.sh, or name the program with --ollama PATH";

bool is_program(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec) && ::access(path.c_str(), X_OK) == 0;
}

Result<std::string> the_one_named(const std::string& path, const std::string& who) {
  std::error_code ec;
  const fs::path absolute = fs::absolute(path, ec);
  if (!ec && is_program(absolute)) {
    return ok(absolute.string());
  }
  return Error(who + " names " + path + ", which is " +
                   (fs::exists(absolute, ec) ? "not an executable file" : "not there"),
               "correct the path, or take it out and let llamavisor look for ollama");
}

// Relative entries of PATH are left out: the server must not depend on where it was started.
std::vector<fs::path> on_path(const Environment& environment) {
  std::vector<fs::path> out;
  std::istringstream path(environment_value(environment, "PATH"));
  for (std::string folder; std::getline(path, folder, ':');) {
    if (folder.starts_with('/')) {
      out.push_back(fs::path(folder) / "ollama");
    }
  }
  return out;
}

// $XDG_CACHE_HOME/llamavisor/ollama-<version>/bin/ollama, the newest first.
std::vector<fs::path> in_cache(const fs::path& cache) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it(cache / "llamavisor", ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().filename().string().starts_with("ollama-")) {
      out.push_back(it->path() / "bin" / "ollama");
    }
  }
  std::sort(out.begin(), out.end(),
            [](const fs::path& a, const fs::path& b) { return ::strverscmp(a.c_str(), b.c_str()) > 0; });
  return out;
}

std::vector<fs::path> candidates(const Environment& environment) {
  std::vector<fs::path> out = on_path(environment);
  for (const char* usual : {"/usr/local/bin/ollama", "/usr/bin/ollama", "/opt/ollama/bin/ollama"}) {
    out.emplace_back(usual);
  }
  const std::string home = environment_value(environment, "HOME");
  std::string cache = environment_value(environment, "XDG_CACHE_HOME");
  if (!home.empty()) {
    out.push_back(fs::path(home) / ".local" / "bin" / "ollama");
    cache = cache.empty() ? home + "/.cache" : cache;
  }
  if (cache.starts_with('/')) {
    const auto cached = in_cache(cache);
    out.insert(out.end(), cached.begin(), cached.end());
    out.push_back(fs::path(cache) / "llamavisor" / "ollama-*" / "bin" / "ollama");  // for the error's list
  }
  return out;
}

}  // namespace

Result<std::string> find_ollama(const std::string& setting, const Environment& environment) {
  if (!setting.empty()) {
    return the_one_named(setting, "[server] ollama");
  }
  if (const auto named = environment_value(environment, "LLAMAVISOR_OLLAMA"); !named.empty()) {
    return the_one_named(named, "LLAMAVISOR_OLLAMA");
  }
  std::string looked;
  for (const fs::path& path : candidates(environment)) {
    if (is_program(path)) {
      return ok(path.string());
    }
    looked += (looked.empty() ? "" : ", ") + path.string();
  }
  return Error("no ollama program found; looked at " + looked, kMend);
}

}  // namespace llamavisor
