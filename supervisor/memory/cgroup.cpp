#include "memory/cgroup.h"

#include <algorithm>
#include <string_view>

#include "memory/proc_text.h"

namespace llamavisor {
namespace {

struct Files {
  const char* limit;
  const char* current;
};
constexpr Files kV2{"/memory.max", "/memory.current"};
constexpr Files kV1{"/memory.limit_in_bytes", "/memory.usage_in_bytes"};

// Our group's path in /proc/self/cgroup. v2: "0::/path"; v1: "4:memory:/path" or "4:cpu,memory:/path".
std::optional<std::string> own_group(std::string_view text, bool v2) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    if (v2 ? controllers == ",," : controllers.find(",memory,") != std::string::npos) {
      return std::string(line.substr(second + 1));
    }
  }
  return std::nullopt;
}

// v1 has no word for "no limit" but a number near 2^63.
std::optional<std::uint64_t> limit_in(const std::optional<std::string>& text) {
  const auto bytes = text ? leading_number(*text) : std::nullopt;
  return bytes && *bytes < (1ULL << 60U) ? bytes : std::nullopt;
}

void look_at(const std::string& folder, const Files& files, std::optional<CgroupMemory>& found) {
  const auto limit_text = read_small_file(folder + files.limit);
  const auto current_text = read_small_file(folder + files.current);
  if (!limit_text && !current_text) {
    return;
  }
  const auto limit = limit_in(limit_text);
  if (!found || (limit && (!found->limit_bytes || *limit < *found->limit_bytes))) {
    found = CgroupMemory{limit, current_text ? leading_number(*current_text) : std::nullopt};
  }
}

std::optional<CgroupMemory> walk_up(const std::string& mount, std::string group, const Files& files) {
  std::optional<CgroupMemory> found;
  while (group.size() > 1 && group.find("/..") == std::string::npos) {  // "/.." : outside of our namespace
    look_at(mount + group, files, found);
    const std::size_t slash = group.rfind('/');
    group.resize(slash == std::string::npos ? 0 : slash);
  }
  look_at(mount, files, found);
  return found;
}

}  // namespace

std::optional<CgroupMemory> read_cgroup_memory(const std::string& proc_root, const std::string& cgroup_root) {
  const std::string own = read_small_file(proc_root + "/self/cgroup").value_or("");
  if (const auto group = own_group(own, true)) {
    if (auto found = walk_up(cgroup_root, *group, kV2)) {
      return found;
    }
  }
  const auto group = own_group(own, false);
  return group ? walk_up(cgroup_root + "/memory", *group, kV1) : std::nullopt;
}

}  // namespace llamavisor
