// Reads the header of a GGUF file (version 2 and 3): what a forecast needs and nothing else.
// Bounded: at most kMaxHeaderBytes are read, no length in the file is trusted, arrays are skipped.
// Thread: any; blocking.
#pragma once

#include <string>

#include "base/result.h"
#include "domain/model.h"

namespace llamavisor {

constexpr std::uint64_t kMaxHeaderBytes = 64ULL << 20U;  // vocabularies of large models take some 10 MB

// Errors: not readable, not GGUF, cut short, or larger than the bound.
Result<ModelShape> read_gguf_shape(const std::string& path);

}  // namespace llamavisor
