// Makes a small llama-architecture GGUF model with known memory and a known answer, and plants it in an
// Ollama models folder by hand: blob, config and manifest. No server is needed, and none is restarted.
//
// Embeddings are one-hot and the outputs of attention and feed-forward are zero, so the last token alone
// decides the next: letter -> next letter, z -> space (or end of text), everything else -> a. The same on
// every version and at any temperature up to 1. All weights are F32 and are loaded in full.
// Thread: any; blocking (240 MB take about a second). The same options make the same blob.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace llamavisor {

struct MadeModel {
  std::string models_dir;
  std::string name;  // "[namespace/]model[:tag]"
  std::uint32_t layers = 2;
  std::uint32_t embedding = 384;  // at least the vocabulary of 354; a multiple of heads
  std::uint32_t feed_forward = 512;
  std::uint32_t heads = 6;
  std::uint32_t kv_heads = 2;
  std::uint32_t context = 131072;              // tokens it claims to be trained for
  std::uint32_t seed = 1;                      // another seed: another blob, thus another runner
  bool ends = false;                           // z ends the text
  std::optional<std::uint32_t> pooling;        // an embedding model
  std::optional<std::uint32_t> param_num_ctx;  // PARAMETER num_ctx
};

struct PlantedModel {
  std::string blob_digest;  // "sha256:<hex>"
  std::uint64_t blob_bytes = 0;
  std::uint64_t kv_bytes_per_token = 0;  // f16 cache
};

// An error: the options contradict each other, or a file cannot be written (nothing half-done is left).
Result<PlantedModel> make_model(const MadeModel& model);

}  // namespace llamavisor
