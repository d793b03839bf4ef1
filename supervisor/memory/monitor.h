// One look at the machine and at the server's runners.
// Thread: any; blocking, about a millisecond.
#pragma once

#include <optional>

#include "base/clock.h"
#include "domain/memory_sample.h"
#include "memory/proc_reader.h"

namespace llamavisor {

// Without a server pid the machine alone is looked at.
MemorySample take_sample(const ProcReader& proc, const Clock& clock, std::optional<int> server_pid);

}  // namespace llamavisor
