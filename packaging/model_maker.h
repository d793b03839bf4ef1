// Makes a small llama-architecture GGUF model with known memory and a known answer, and plants it in an
// Ollama models folder by hand: blob, config and manifest. No server is needed, and none is restarted.
//
// Embeddings are one-hot and the outputs of attention and feed-forward are zero, so the last token alone
// decides the next: letter -> next letter, z -> space (or end of text), everything else -> a. The same on
// every version and at any temperature up to 1. All weights are F32 and are loaded in full.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace llamavisor {

struct MadeModel {
  std::string models_dir;
  std::string name;  // without a tag; becomes name:latest in the library namespace
  std::uint32_t layers = 2;
  std::uint32_t embedding = 384;  // at least the vocabulary of 354
  std::uint32_t feed_forward = 512;
  std::uint32_t heads = 6;
  std::uint32_t kv_heads = 2;
  std::uint32_t context = 131072;
  std::uint32_t seed = 1;                      // another seed: another blob, thus another runner
  bool ends = false;                           // z ends the text
  std::optional<std::uint32_t> pooling;        // an embedding model
  std::optional<std::uint32_t> param_num_ctx;  // PARAMETER num_ctx
};

// Returns the size of the blob. Throws std::runtime_error with the file's name when it cannot be written.
std::uint64_t make_model(const MadeModel& model);

}  // namespace llamavisor
