// Whole files, read within a bound and written so that a crash leaves the old or the new one.
// Thread: any; blocking.
#pragma once

#include <string>

#include "base/result.h"

namespace llamavisor {

Result<std::string> read_file(const std::string& path, std::size_t max_bytes);
// Writes a temporary file beside it, syncs and renames; makes the folders that are missing.
Result<void> write_file_atomically(const std::string& path, const std::string& text);

}  // namespace llamavisor
