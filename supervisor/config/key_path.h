// Dotted keys as people write them: memory.limit, models."a:7b".pin. Thread: any; pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace llamavisor {

using KeyPath = std::vector<std::string>;

Result<KeyPath> parse_key_path(const std::string& key);

// The parts from `begin` to the end as TOML writes them, with quotes where a part needs them.
std::string joined_key(const KeyPath& path, std::size_t begin = 0);

}  // namespace llamavisor
