// Memory that only the start needed. Thread: any; some hundred microseconds.
#pragma once

namespace llamavisor {

// Gives free heap back to the system, and the program text of ours and of our libraries that was run through
// so far: pages that are needed again are mapped again from the page cache, at a fault each.
void give_back_start_memory();

}  // namespace llamavisor
