#include "memory/monitor.h"

#include "memory/runner_map.h"

namespace llamavisor {
namespace {

// Absent: the process ended meanwhile; its pid may be another's by now, and so may be what was read.
std::optional<RunnerSample> runner_sample(const ProcReader& proc, RunnerProcess runner) {
  const ProcessMemory memory = proc.memory_of(runner.pid);
  RunnerSample out;
  out.pid = runner.pid;
  out.start_ticks = runner.start_ticks;
  out.blob_digest = std::move(runner.blob_digest);
  out.footprint_bytes = memory.footprint_bytes();
  out.file_bytes = memory.file_bytes;
  out.pss_bytes = proc.pss_of(runner.pid);
  return proc.start_ticks(out.pid) == out.start_ticks ? std::optional(std::move(out)) : std::nullopt;
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
  for (RunnerProcess& runner : runners_among(proc.descendants(*server_pid))) {
    if (auto sample = runner_sample(proc, std::move(runner))) {
      out.runners.push_back(std::move(*sample));
    }
  }
  return out;
}

}  // namespace llamavisor
