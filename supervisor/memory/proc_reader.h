// Reads /proc through a root that tests replace by a tree of their own. Whatever cannot be read is absent.
// Thread: any; blocking but quick. Each file is read up to a bound.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/memory_sample.h"
#include "memory/proc_text.h"

namespace llamavisor {

struct MemInfo {
  std::optional<std::uint64_t> total_bytes;
  std::optional<std::uint64_t> available_bytes;
  std::optional<std::uint64_t> swap_total_bytes;
  std::optional<std::uint64_t> swap_free_bytes;
};

// One process as the runner map needs it.
struct ProcessInfo {
  int pid = 0;
  int parent_pid = 0;
  std::uint64_t start_ticks = 0;
  std::vector<std::string> argv;
};

struct ProcessMemory {
  std::optional<std::uint64_t> anon_bytes;
  std::optional<std::uint64_t> file_bytes;
  std::optional<std::uint64_t> shmem_bytes;
  std::optional<std::uint64_t> swap_bytes;
  // RssAnon + RssShmem + VmSwap; absent without RssAnon (a zombie, a kernel before 4.5).
  [[nodiscard]] std::optional<std::uint64_t> footprint_bytes() const;
  [[nodiscard]] std::optional<std::uint64_t> rss_bytes() const;
};

class ProcReader {
 public:
  explicit ProcReader(std::string proc_root = "/proc", std::string cgroup_root = "/sys/fs/cgroup")
      : proc_(std::move(proc_root)), cgroup_(std::move(cgroup_root)) {}

  [[nodiscard]] MemInfo meminfo() const;
  // Absent: no PSI in this kernel.
  [[nodiscard]] std::optional<Psi> memory_pressure() const;
  [[nodiscard]] std::optional<CgroupMemory> cgroup_memory() const;
  // All descendants of a process, itself not among them; at most kMaxProcesses. Reads their own files alone
  // where the kernel lists children, else the stat of every process once.
  [[nodiscard]] std::vector<ProcessInfo> descendants(int pid) const;
  [[nodiscard]] std::optional<std::uint64_t> start_ticks(int pid) const;
  [[nodiscard]] ProcessMemory memory_of(int pid) const;
  // Walks the page tables of the process: milliseconds for each GB.
  [[nodiscard]] std::optional<std::uint64_t> pss_of(int pid) const;

  static constexpr std::size_t kMaxProcesses = 4096;

 private:
  [[nodiscard]] std::string process_file(int pid, const char* name) const;
  [[nodiscard]] std::optional<StatFields> stat_of(int pid) const;
  [[nodiscard]] std::optional<std::vector<int>> children(int pid) const;
  [[nodiscard]] std::vector<ProcessInfo> processes(const std::vector<int>& pids) const;
  [[nodiscard]] std::vector<int> descendants_by_scan(int root) const;

  std::string proc_;
  std::string cgroup_;
};

// Is this still the process that had that start time?
bool process_is(int pid, std::uint64_t start_ticks);
// MemAvailable, for a decision that cannot wait for the next sample.
std::optional<std::uint64_t> read_available_bytes(const ProcReader& proc);

}  // namespace llamavisor
