#include "memory/runner_map.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace llamavisor {

std::optional<std::string> runner_blob(const std::vector<std::string>& argv) {
  constexpr std::string_view scheme = "sha256-";
  const auto flag = std::find(argv.begin(), argv.end(), "--model");
  if (flag == argv.end() || flag + 1 == argv.end()) {
    return std::nullopt;
  }
  const std::string& path = *(flag + 1);
  const std::string name = path.substr(path.rfind('/') + 1);
  if (!name.starts_with(scheme) || name.size() != scheme.size() + 64 ||
      name.find_first_not_of("0123456789abcdef", scheme.size()) != std::string::npos) {
    return std::nullopt;
  }
  return "sha256:" + name.substr(scheme.size());
}

std::vector<RunnerProcess> runners_among(const std::vector<ProcessInfo>& descendants) {
  std::set<int> runners;
  for (const ProcessInfo& process : descendants) {
    if (runner_blob(process.argv)) {
      runners.insert(process.pid);
    }
  }
  std::vector<RunnerProcess> out;
  for (const ProcessInfo& process : descendants) {
    if (runners.contains(process.pid) && !runners.contains(process.parent_pid)) {
      out.push_back({process.pid, process.start_ticks, *runner_blob(process.argv)});
    }
  }
  return out;
}

}  // namespace llamavisor
