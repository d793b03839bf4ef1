#include "memory/monitor.h"

#include "memory/runner_map.h"

namespace llamavisor {
namespace {

RunnerSample runner_sample(const ProcReader& proc, const ProcessInfo& process, std::string blob_digest) {
  const ProcessMemory memory = proc.memory_of(process.pid);
  RunnerSample out;
  out.pid = process.pid;
  out.start_ticks = process.start_ticks;
  out.blob_digest = std::move(blob_digest);
  out.footprint_bytes = memory.footprint_bytes();
  out.file_bytes = memory.file_bytes;
  out.pss_bytes = proc.pss_of(process.pid);
  return out;
}

}  // namespace

MemorySample take_sample(const ProcReader& proc, const Clock& clock, std::optional<int> server_pid) {
  MemorySample out;
  out.at = clock.now();
  const MemInfo info = proc.meminfo();
  out.total_bytes = info.total_bytes;
  out.available_bytes = info.available_bytes;
  out.swap_total_bytes = info.swap_total_bytes;
  out.swap_free_bytes = info.swap_free_bytes;
  out.psi_memory = proc.memory_pressure();
  out.cgroup = proc.cgroup_memory();
  if (!server_pid) {
    return out;
  }
  out.server_rss_bytes = proc.memory_of(*server_pid).rss_bytes();
  for (const ProcessInfo& process : proc.descendants(*server_pid)) {
    if (auto blob = runner_blob(process.argv)) {
      out.runners.push_back(runner_sample(proc, process, std::move(*blob)));
    }
  }
  return out;
}

}  // namespace llamavisor
