#include "forecast/cache.h"

#include <algorithm>
#include <cmath>

namespace llamavisor {
namespace {

// Bytes of one cached value: ggml's blocks of 32 values are 34 bytes (q8_0) or 18 (q4_0). Era b quantizes the
// cache only when flash attention was asked for; era c decides that by itself.
double kv_value_bytes(const ForecastSettings& settings) {
  const bool quantized = settings.era == ServerEra::c || settings.flash_attention;
  if (quantized && settings.kv_cache_type == "q8_0") {
    return 34.0 / 32;
  }
  return quantized && settings.kv_cache_type == "q4_0" ? 18.0 / 32 : 2.0;
}

double padded(double tokens) {
  return std::ceil(tokens / 256) * 256;
}

// num_batch left to Ollama. B: 512, embeddings the whole context; C: 512, 1024 above 4096 tokens in all
// slots, 2048 above 32768 and for embeddings.
double batch_of(const ModelShape& shape, const Cache& cache, ServerEra era) {
  if (era == ServerEra::b) {
    return shape.pooling_type ? cache.slot_tokens : 512;
  }
  const double tokens = cache.slot_tokens * cache.slots;
  return shape.pooling_type || tokens > 32768 ? 2048 : tokens > 4096 ? 1024 : 512;
}

// The cells of a slot in layers with a window: the window and a batch. Era b's llama.cpp keeps the whole
// context there; its own engine keeps 4096 tokens of gpt-oss.
double sliding_tokens(const ModelShape& shape, const LayerPlan& plan, const Cache& cache, ServerEra era) {
  if (era != ServerEra::c && !in_ollama_engine(shape.architecture, era)) {
    return cache.slot_tokens;
  }
  const bool keeps_more = era != ServerEra::c && shape.architecture != "gemma3";
  const double window = keeps_more ? std::max(plan.window_tokens, 4096.0) : plan.window_tokens;
  return std::min(cache.slot_tokens, padded(window + cache.batch_tokens));
}

}  // namespace

// llama.cpp rounds the context of each slot up to 256 tokens. A model that makes embeddings gets one slot,
// and the same cache as any other of its architecture.
Cache cache_of(const ModelShape& shape, const LayerPlan& plan, std::uint32_t num_ctx,
               const ForecastSettings& settings) {
  Cache out;
  out.slots = shape.pooling_type ? 1.0 : std::max(settings.num_parallel, 1U);
  out.slot_tokens = padded(std::min(num_ctx, shape.context_length.value_or(num_ctx)));
  out.batch_tokens = batch_of(shape, out, settings.era);
  const double value_bytes = kv_value_bytes(settings);
  const double state = 4 * plan.state_values;
  if (plan.sliding_values > 0) {
    out.sliding_tokens = sliding_tokens(shape, plan, out, settings.era);
  }
  const double sliding = plan.sliding_values * value_bytes * out.sliding_tokens;
  out.kv_bytes = out.slots * (plan.full_values * value_bytes * out.slot_tokens + sliding);
  out.state_bytes = out.slots * state;
  out.checkpoint_bytes = out.slots * (sliding + state);
  out.cells = out.slots * ((plan.full_values > 0 ? out.slot_tokens : 0) + out.sliding_tokens);
  return out;
}

// What the logs of both eras say for the test models, in bytes a batch token: the attention masks (f16 in C,
// f32 and its f16 copy in B) over a slot's cells, 2 x embedding + 3.5 x feed-forward activations in f32 (or
// 6 x the inner size of a recurrent layer), and the logits of a batch, which rule where the vocabulary is
// large. Era b computes encoders without flash attention: all heads' scores at once.
std::optional<double> compute_bytes(const ModelShape& shape, const Cache& cache, ServerEra era) {
  if (!shape.embedding_length || !shape.vocabulary) {
    return std::nullopt;
  }
  const double embedding = *shape.embedding_length;
  const double feed_forward = shape.feed_forward_length.value_or(0) == 0 && !shape.ssm_inner_size
                                  ? 4 * embedding
                                  : shape.feed_forward_length.value_or(0);
  const double expert = shape.expert_feed_forward_length.value_or(shape.feed_forward_length.value_or(0));
  const double experts = shape.expert_used_count.value_or(0) * expert;
  const double activations =
      std::max(14 * std::max(feed_forward, experts), 24.0 * shape.ssm_inner_size.value_or(0));
  const double mask = (era == ServerEra::c ? 2 : 6) * (cache.slot_tokens + cache.sliding_tokens);
  const bool scores = era != ServerEra::c && is_encoder(shape.architecture);
  const double attention = scores ? 4.0 * shape.head_count.value_or(1) * cache.slot_tokens : 0;
  return cache.batch_tokens * (mask + attention + 8 * embedding + activations + 4.0 * *shape.vocabulary);
}

}  // namespace llamavisor
