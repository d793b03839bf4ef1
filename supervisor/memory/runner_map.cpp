#include "memory/runner_map.h"

#include <algorithm>

namespace llamavisor {

std::optional<std::string> runner_blob(const std::vector<std::string>& argv) {
  const auto flag = std::find(argv.begin(), argv.end(), "--model");
  if (flag == argv.end() || flag + 1 == argv.end()) {
    return std::nullopt;
  }
  const std::string& path = *(flag + 1);
  const std::string name = path.substr(path.rfind('/') + 1);
  if (!name.starts_with("sha256-") || name.size() != 7 + 64) {
    return std::nullopt;
  }
  return "sha256:" + name.substr(7);
}

}  // namespace llamavisor
