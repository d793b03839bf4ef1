// Reads /proc through a root that tests replace by a tree of their own. Whatever cannot be read is absent.
// Thread: any; blocking but quick. Each file is read up to a bound.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/memory_sample.h"

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
  std::uint64_t start_ticks = 0;
  std::vector<std::string> argv;
};

struct ProcessMemory {
  std::optional<std::uint64_t> anon_bytes;
  std::optional<std::uint64_t> file_bytes;
  std::optional<std::uint64_t> shmem_bytes;
  std::optional<std::uint64_t> swap_bytes;
  [[nodiscard]] std::optional<std::uint64_t> footprint_bytes() const;
  [[nodiscard]] std::optional<std::uint64_t> rss_bytes() const;
};

class ProcReader {
 public:
  explicit ProcReader(std::string proc_root = "/proc", std::string cgroup_root = "/sys/fs/cgroup")
      : proc_(std::move(proc_root)), cgroup_(std::move(cgroup_root)) {}

  [[nodiscard]] MemInfo meminfo() const;
  [[nodiscard]] std::optional<Psi> memory_pressure() const;
  // The tightest memory.max on the way from our own cgroup (v2) to the root; v1's limit where that is
  // mounted.
  [[nodiscard]] std::optional<CgroupMemory> cgroup_memory() const;
  // All descendants of a process, itself not among them.
  [[nodiscard]] std::vector<ProcessInfo> descendants(int pid) const;
  [[nodiscard]] std::optional<std::uint64_t> start_ticks(int pid) const;
  [[nodiscard]] ProcessMemory memory_of(int pid) const;
  [[nodiscard]] std::optional<std::uint64_t> pss_of(int pid) const;

 private:
  [[nodiscard]] std::string process_file(int pid, const char* name) const;
  [[nodiscard]] std::vector<int> children(int pid) const;
  [[nodiscard]] std::optional<CgroupMemory> cgroup_v2() const;

  std::string proc_;
  std::string cgroup_;
};

// Is this still the process that had that start time?
bool process_is(int pid, std::uint64_t start_ticks);
// MemAvailable, for a decision that cannot wait for the next sample.
std::optional<std::uint64_t> read_available_bytes(const ProcReader& proc);

}  // namespace llamavisor
