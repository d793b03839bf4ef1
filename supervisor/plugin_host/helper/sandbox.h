// What a helper process may do. Each step only takes away, and holds for every thread. Thread: main.
#pragma once

#include "base/result.h"

namespace llamavisor {

// No network, no other process or thread, no writing of files, 512 MB of address space, no core file, no
// privileges through exec. Reading files is still allowed: a library brings others along.
Result<void> enter_sandbox();
// No files at all from here on.
Result<void> close_files();

}  // namespace llamavisor
