// The memory limit that binds this process through its control groups.
// Thread: any; blocking but quick.
#pragma once

#include <optional>
#include <string>

#include "domain/memory_sample.h"

namespace llamavisor {

// The tightest memory.max on the way from our own group (proc_root/self/cgroup) up to the root, and what is
// in use where it stands; without any limit, what is in use in our own group. v1 (memory.limit_in_bytes)
// where the memory controller is mounted that way. Absent: no memory controller to be seen. Inside a
// container the files may show at the mount's root only; a folder that is not there is passed over.
std::optional<CgroupMemory> read_cgroup_memory(const std::string& proc_root, const std::string& cgroup_root);

}  // namespace llamavisor
