#include "memory/proc_reader.h"

#include <charconv>
#include <filesystem>
#include <map>

#include "memory/cgroup.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

std::optional<int> pid_of(const std::string& name) {
  int pid = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
  return parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size() && pid > 0 ? std::optional(pid)
                                                                                        : std::nullopt;
}

// Blank-separated pids.
void add_pids(const std::string& list, std::vector<int>& out) {
  const char* at = list.data();
  const char* const end = at + list.size();
  while (at < end) {
    int pid = 0;
    const auto parsed = std::from_chars(at, end, pid);
    if (parsed.ec == std::errc{}) {
      out.push_back(pid);
    }
    at = parsed.ptr + 1;
  }
}

}  // namespace

std::optional<std::uint64_t> ProcessMemory::footprint_bytes() const {
  if (!anon_bytes) {
    return std::nullopt;
  }
  return *anon_bytes + shmem_bytes.value_or(0) + swap_bytes.value_or(0);
}

std::optional<std::uint64_t> ProcessMemory::rss_bytes() const {
  if (!anon_bytes) {
    return std::nullopt;
  }
  return *anon_bytes + shmem_bytes.value_or(0) + file_bytes.value_or(0);
}

std::string ProcReader::process_file(int pid, const char* name) const {
  return proc_ + "/" + std::to_string(pid) + "/" + name;
}

MemInfo ProcReader::meminfo() const {
  const std::string text = read_small_file(proc_ + "/meminfo").value_or("");
  return {kb_line(text, "MemTotal"), kb_line(text, "MemAvailable"), kb_line(text, "SwapTotal"),
          kb_line(text, "SwapFree")};
}

std::optional<Psi> ProcReader::memory_pressure() const {
  const std::string text = read_small_file(proc_ + "/pressure/memory").value_or("");
  const auto some = pressure_avg10(text, "some");
  const auto full = pressure_avg10(text, "full");
  return some && full ? std::optional(Psi{*some, *full}) : std::nullopt;
}

std::optional<CgroupMemory> ProcReader::cgroup_memory() const {
  return read_cgroup_memory(proc_, cgroup_);
}

// Every thread may have forked: /proc/PID/task/TID/children lists its own. Absent: this kernel does not.
std::optional<std::vector<int>> ProcReader::children(int pid) const {
  std::vector<int> out;
  std::error_code ec;
  bool listed = false;
  for (fs::directory_iterator it(process_file(pid, "task"), ec), end; !ec && it != end; it.increment(ec)) {
    if (const auto list = read_small_file(it->path().string() + "/children")) {
      listed = true;
      add_pids(*list, out);
    }
  }
  return listed ? std::optional(std::move(out)) : std::nullopt;
}

std::vector<int> ProcReader::descendants_by_scan(int root) const {
  std::multimap<int, int> children_of;
  std::error_code ec;
  for (fs::directory_iterator it(proc_, ec), end; !ec && it != end; it.increment(ec)) {
    const auto pid = pid_of(it->path().filename().string());
    if (const auto stat = pid ? stat_of(*pid) : std::nullopt) {
      children_of.emplace(stat->parent_pid, *pid);
    }
  }
  std::vector<int> out;
  std::vector<int> open{root};
  while (!open.empty() && out.size() < kMaxProcesses) {
    const auto [first, last] = children_of.equal_range(open.back());
    open.pop_back();
    for (auto it = first; it != last; ++it) {
      out.push_back(it->second);
      open.push_back(it->second);
    }
  }
  return out;
}

std::vector<ProcessInfo> ProcReader::descendants(int pid) const {
  auto direct = children(pid);
  if (!direct) {
    return processes(descendants_by_scan(pid));
  }
  std::vector<int> pids;
  std::vector<int> open = std::move(*direct);
  while (!open.empty() && pids.size() < kMaxProcesses) {
    pids.push_back(open.back());
    open.pop_back();
    for (const int child : children(pids.back()).value_or(std::vector<int>())) {
      open.push_back(child);
    }
  }
  return processes(pids);
}

std::vector<ProcessInfo> ProcReader::processes(const std::vector<int>& pids) const {
  std::vector<ProcessInfo> out;
  for (const int pid : pids) {
    const auto stat = stat_of(pid);
    const auto argv = read_small_file(process_file(pid, "cmdline"));
    if (stat && argv) {
      out.push_back({pid, stat->parent_pid, stat->start_ticks, split_nul(*argv)});
    }
  }
  return out;
}

std::optional<StatFields> ProcReader::stat_of(int pid) const {
  return parse_stat(read_small_file(process_file(pid, "stat")).value_or(""));
}

std::optional<std::uint64_t> ProcReader::start_ticks(int pid) const {
  const auto stat = stat_of(pid);
  return stat ? std::optional(stat->start_ticks) : std::nullopt;
}

ProcessMemory ProcReader::memory_of(int pid) const {
  const std::string text = read_small_file(process_file(pid, "status")).value_or("");
  return {kb_line(text, "RssAnon"), kb_line(text, "RssFile"), kb_line(text, "RssShmem"),
          kb_line(text, "VmSwap")};
}

std::optional<std::uint64_t> ProcReader::pss_of(int pid) const {
  return kb_line(read_small_file(process_file(pid, "smaps_rollup")).value_or(""), "Pss");
}

bool process_is(int pid, std::uint64_t start_ticks) {
  return ProcReader().start_ticks(pid) == start_ticks;
}

std::optional<std::uint64_t> read_available_bytes(const ProcReader& proc) {
  return proc.meminfo().available_bytes;
}

}  // namespace llamavisor
