#include "forecast/layers.h"

#include <map>
#include <set>

namespace llamavisor {
namespace {

// Every layer attends to the whole context. phi3 too: llama.cpp leaves its window out.
bool is_plain_attention(const std::string& architecture) {
  static const std::set<std::string> known{"llama",    "qwen2",      "qwen3",    "mistral",  "phi3",
                                           "granite",  "starcoder2", "qwen2moe", "qwen3moe", "falcon",
                                           "stablelm", "internlm2",  "deepseek2"};
  return known.contains(architecture);
}

// One of so many layers, the last of each group, attends to the whole context, the others to a window.
std::uint32_t window_period(const std::string& architecture) {
  static const std::map<std::string, std::uint32_t> known{
      {"gemma2", 2}, {"gemma3", 6}, {"cohere2", 4}, {"gpt-oss", 2}, {"gptoss", 2}};
  const auto it = known.find(architecture);
  return it == known.end() ? 0 : it->second;
}

bool is_recurrent(const std::string& architecture) {
  static const std::set<std::string> known{"mamba", "mamba2", "granitehybrid", "jamba", "lfm2"};
  return known.contains(architecture);
}

// Heads that cache in a layer; 0 in a recurrent one.
double heads_of(const ModelShape& shape, std::uint32_t layer) {
  if (!shape.layer_head_counts_kv.empty()) {
    return layer < shape.layer_head_counts_kv.size() ? shape.layer_head_counts_kv[layer] : 0;
  }
  return shape.head_count_kv.value_or(shape.head_count.value_or(0));
}

// Key and value lengths default to embedding / heads. A compressed cache (MLA) holds both in its keys; era b
// sets room for the values aside all the same.
double head_values(const ModelShape& shape, ServerEra era) {
  const std::uint32_t heads = shape.head_count.value_or(0);
  const std::uint32_t head = heads == 0 ? 0 : *shape.embedding_length / heads;
  const bool compressed = shape.key_length_mla && era == ServerEra::c;
  return shape.key_length.value_or(head) + (compressed ? 0.0 : shape.value_length.value_or(head));
}

// The last inputs of the convolution and the state itself.
double state_of_layer(const ModelShape& shape) {
  if (shape.shortconv_l_cache) {
    return (std::max(*shape.shortconv_l_cache, 1U) - 1.0) * *shape.embedding_length;
  }
  const double inner = shape.ssm_inner_size.value_or(0);
  const double state = shape.ssm_state_size.value_or(0);
  const double channels = inner + 2.0 * shape.ssm_group_count.value_or(0) * state;
  return (std::max(shape.ssm_conv_kernel.value_or(1), 1U) - 1.0) * channels + inner * state;
}

bool tells_layers(const ModelShape& shape) {
  const bool recurrent = is_recurrent(shape.architecture);
  const bool attends =
      shape.head_count.value_or(0) > 0 || (recurrent && shape.head_count && shape.ssm_inner_size);
  const bool sizes = recurrent ? shape.shortconv_l_cache || (shape.ssm_inner_size && shape.ssm_state_size)
                               : window_period(shape.architecture) == 0 || shape.sliding_window;
  const bool known =
      recurrent || is_plain_attention(shape.architecture) || window_period(shape.architecture) > 0;
  const bool layered = recurrent || shape.layer_head_counts_kv.empty();
  return known && shape.block_count && shape.embedding_length && attends && sizes && layered;
}

LayerPlan recurrent_plan(const ModelShape& shape, ServerEra era) {
  LayerPlan out;
  const bool hybrid = shape.layer_head_counts_kv.size() == *shape.block_count;
  double recurrent = hybrid ? 0 : *shape.block_count;
  for (std::uint32_t layer = 0; hybrid && layer < *shape.block_count; ++layer) {
    out.full_values += heads_of(shape, layer) * head_values(shape, era);
    recurrent += heads_of(shape, layer) > 0 ? 0 : 1;
  }
  out.state_values = recurrent * state_of_layer(shape);
  return out;
}

}  // namespace

bool is_encoder(const std::string& architecture) {
  static const std::set<std::string> known{"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2"};
  return known.contains(architecture);
}

bool in_ollama_engine(const std::string& architecture, ServerEra era) {
  static const std::set<std::string> known{"gemma3", "gpt-oss", "gptoss", "qwen3", "qwen3moe"};
  return era != ServerEra::c && known.contains(architecture);
}

std::optional<LayerPlan> plan_layers(const ModelShape& shape, ServerEra era) {
  if (is_encoder(shape.architecture)) {
    return LayerPlan{};
  }
  if (!tells_layers(shape)) {
    return std::nullopt;
  }
  if (is_recurrent(shape.architecture)) {
    return recurrent_plan(shape, era);
  }
  LayerPlan out;
  const double layers = *shape.block_count;
  const double values = heads_of(shape, 0) * head_values(shape, era);
  const std::uint32_t period = window_period(shape.architecture);
  const double full = period == 0 ? layers : static_cast<double>(*shape.block_count / period);
  out.full_values = full * values;
  out.sliding_values = (layers - full) * values;
  out.window_tokens = period == 0 ? 0 : *shape.sliding_window;
  return out;
}

}  // namespace llamavisor
