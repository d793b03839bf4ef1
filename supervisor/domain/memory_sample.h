// One look at the machine's memory and at the runners. Whatever could not be read is absent, not 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace llamavisor {

// One pressure stall line of the kernel: share of time (percent) stalled over 10 s.
struct Psi {
  double some_avg10 = 0;
  double full_avg10 = 0;
};

struct CgroupMemory {
  std::optional<std::uint64_t> limit_bytes;  // absent: "max"
  std::optional<std::uint64_t> current_bytes;
};

// One runner process of the server.
struct RunnerSample {
  int pid = 0;
  std::uint64_t start_ticks = 0;                 // field 22 of /proc/pid/stat: pid reuse guard
  std::string blob_digest;                       // "sha256:<hex>" from its command line; empty: not a model
  std::optional<std::uint64_t> footprint_bytes;  // RssAnon + RssShmem + VmSwap
  std::optional<std::uint64_t> file_bytes;       // RssFile, shared with other runners
  std::optional<std::uint64_t> pss_bytes;
};

struct MemorySample {
  SteadyTime at{};
  std::optional<std::uint64_t> total_bytes;
  std::optional<std::uint64_t> available_bytes;
  std::optional<std::uint64_t> swap_total_bytes;
  std::optional<std::uint64_t> swap_free_bytes;
  std::optional<Psi> psi_memory;
  std::optional<CgroupMemory> cgroup;
  std::optional<std::uint64_t> server_rss_bytes;  // the server process itself
  std::vector<RunnerSample> runners;
};

}  // namespace llamavisor
