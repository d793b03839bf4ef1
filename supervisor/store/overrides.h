// The TOML that `llamavisor limit`, `pin`, `profile use` and `plugin use` write. Written atomically; one that
// cannot be parsed is kept aside and started anew. Thread: any; blocking; one writer.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace llamavisor {

// The text; "" when there is none. A broken file is renamed to <path>.broken and said in `warning`.
std::string read_overrides(const std::string& path, std::string& warning);

// Sets keys to TOML values; an empty value removes the key. All or nothing.
Result<void> change_overrides(const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& changes);

}  // namespace llamavisor
