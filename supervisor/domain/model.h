// What is known of a model before and while it is loaded. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamavisor {

// "Tiny" -> "tiny:latest"; the default host and the "library/" namespace are dropped, as Ollama shows
// names. Comparison of canonical names is how llamavisor tells whether two spellings mean one manifest.
std::string canonical_model_name(std::string_view name);

// Names that Ollama proxies to its cloud ("x:cloud", "x:20b-cloud"): they use no local memory.
bool is_cloud_model_name(std::string_view canonical);

// The sizes in a GGUF header that a forecast needs. Absent keys stay absent.
struct ModelShape {
  std::string architecture;  // "llama", "qwen3", ...
  std::optional<std::uint32_t> block_count;
  std::optional<std::uint32_t> context_length;  // tokens the model was trained for
  std::optional<std::uint32_t> embedding_length;
  std::optional<std::uint32_t> head_count;
  std::optional<std::uint32_t> head_count_kv;       // one number for all layers
  std::vector<std::uint32_t> layer_head_counts_kv;  // or one a layer, where they differ; 0: no attention
  std::optional<std::uint32_t> key_length;
  std::optional<std::uint32_t> value_length;
  std::optional<std::uint32_t> pooling_type;  // present on embedding models
  std::optional<std::uint32_t> feed_forward_length;
  std::optional<std::uint32_t> vocabulary;      // tokens
  std::optional<std::uint32_t> sliding_window;  // tokens
  std::optional<std::uint32_t>
      key_length_mla;  // present where a compressed cache holds keys and values in one
  std::optional<std::uint32_t> expert_used_count;
  std::optional<std::uint32_t> expert_feed_forward_length;
  std::optional<std::uint32_t> ssm_conv_kernel;
  std::optional<std::uint32_t> ssm_inner_size;
  std::optional<std::uint32_t> ssm_state_size;
  std::optional<std::uint32_t> ssm_group_count;
  std::optional<std::uint32_t> shortconv_l_cache;
};

// An installed model, read from its manifest and blob.
struct InstalledModel {
  std::string name;         // canonical
  std::string blob_digest;  // "sha256:<hex>": Ollama's scheduler key; names sharing it share a runner
  std::string blob_path;
  std::uint64_t weights_bytes = 0;             // model blob + projector and adapter blobs
  std::optional<std::uint32_t> param_num_ctx;  // PARAMETER num_ctx of its Modelfile
  std::optional<ModelShape> shape;             // absent: header unreadable or not GGUF
};

// Memory that a load is expected to hold.
struct Forecast {
  std::uint64_t bytes = 0;                   // what the footprint will be after the first answer
  std::optional<std::uint64_t> upper_bytes;  // with compute buffers and prompt cache fully used
  std::string basis;                         // "weights 121 MB + KV 32 MB + process 5 MB": for people
  bool guess = false;                        // true: unknown architecture, file size x 1.2
};

}  // namespace llamavisor
