// Reads the header of a GGUF file (versions 2 and 3): what a forecast needs and nothing else.
// Bounded: at most kMaxHeaderBytes and kMaxHeaderKeys are read, no length in the file is trusted, texts over
// kMaxHeaderText bytes and the contents of arrays are skipped.
// Thread: any; blocking (the vocabulary of a large model is some 10 MB, which is read once and not kept).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "domain/model.h"

namespace llamavisor {

inline constexpr std::uint64_t kMaxHeaderBytes = 64ULL << 20U;
inline constexpr std::uint64_t kMaxHeaderKeys = 4096;
inline constexpr std::uint64_t kMaxHeaderText = 256;

// Key and value heads that are given layer by layer are one number when all layers agree, else a list of at
// most 1024. Query heads that differ are absent: a forecast has to guess then.
// Errors: not readable, not GGUF, cut short, or larger than the bounds.
Result<ModelShape> read_gguf_shape(const std::string& path);

}  // namespace llamavisor
