#include "forecast/forecast.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/units.h"

namespace llamavisor {
namespace {

// Anonymous memory of a runner besides weights and KV cache (tests/e2e/test_forecast.py measures it anew):
// the heap of llama-server, or the heap and the Go runtime of `ollama runner`. Measured on 0.32.5: 4.2 to 4.8
// MiB, on 0.24.0: 8.3 to 9.2 MiB, each with 2 to 16 layers, plus 50 bytes for each cell of the cache, where
// llama.cpp notes its position, shift and sequences (struct llama_kv_cells).
constexpr double kMiB = 1U << 20U;
constexpr double kProcessB = 8.8 * kMiB;
constexpr double kProcessC = 4.5 * kMiB;
constexpr double kCellBytes = 50;

// Sizes come from files that anybody may have written: a product of them may be absurd, but must not wrap
// around to something small. The cap leaves room to add a few.
std::uint64_t saturated(double bytes) {
  constexpr double cap = 1ULL << 61U;
  return static_cast<std::uint64_t>(std::min(bytes, cap));
}

// Bytes of one cached value: ggml's blocks of 32 values are 34 bytes (q8_0) or 18 (q4_0). Era b quantizes the
// cache only when flash attention was asked for; era c decides that by itself.
double kv_value_bytes(const ForecastSettings& settings) {
  const bool quantized = settings.era == ServerEra::c || settings.flash_attention;
  if (quantized && settings.kv_cache_type == "q8_0") {
    return 34.0 / 32;
  }
  return quantized && settings.kv_cache_type == "q4_0" ? 18.0 / 32 : 2.0;
}

// Architectures whose cache is what kv_cache() says: every layer attends to the whole context.
bool is_plain_attention(const std::string& architecture) {
  static const std::set<std::string> known{"llama",    "qwen2",   "qwen3",      "mistral",
                                           "phi3",     "granite", "starcoder2", "qwen2moe",
                                           "qwen3moe", "falcon",  "stablelm",   "internlm2"};
  return known.contains(architecture);
}

// Encoders read a text in one go: llama.cpp gives them no cache at all.
bool is_encoder(const std::string& architecture) {
  static const std::set<std::string> known{"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2"};
  return known.contains(architecture);
}

struct Cache {
  double slot_tokens = 0;
  double slots = 1;
  double bytes = 0;
  [[nodiscard]] double tokens() const { return slot_tokens * slots; }
};

// llama.cpp rounds the context of each slot up to 256 tokens. A model that makes embeddings gets one slot,
// and the same cache as any other of its architecture.
Cache empty_cache(const ModelShape& shape, std::uint32_t num_ctx, const ForecastSettings& settings) {
  const std::uint64_t tokens = std::min<std::uint64_t>(num_ctx, shape.context_length.value_or(num_ctx));
  return {static_cast<double>((tokens + 255) / 256 * 256),
          shape.pooling_type ? 1.0 : std::max(settings.num_parallel, 1U), 0};
}

// A token takes n_layer x n_head_kv x (key_length + value_length) cached values; key and value length default
// to embedding / heads. Absent: these keys or this architecture do not tell.
std::optional<Cache> kv_cache(const ModelShape& shape, std::uint32_t num_ctx,
                              const ForecastSettings& settings) {
  Cache out = empty_cache(shape, num_ctx, settings);
  if (is_encoder(shape.architecture)) {
    return out;
  }
  if (!is_plain_attention(shape.architecture) || !shape.block_count || !shape.embedding_length ||
      shape.head_count.value_or(0) == 0) {
    return std::nullopt;
  }
  const std::uint32_t head = *shape.embedding_length / *shape.head_count;
  const double key = shape.key_length.value_or(head);
  const double value = shape.value_length.value_or(head);
  const double layers = *shape.block_count;
  const double heads = shape.head_count_kv.value_or(*shape.head_count);
  out.bytes = layers * heads * (key + value) * kv_value_bytes(settings) * out.tokens();
  return out;
}

// Tokens that are computed at once (num_batch left to Ollama). B: 512, embeddings the whole context;
// C: 512, 1024 above 4096 tokens in all slots, 2048 above 32768 and for embeddings.
double batch_tokens(const ModelShape& shape, const Cache& cache, ServerEra era) {
  if (era == ServerEra::b) {
    return shape.pooling_type ? cache.slot_tokens : 512;
  }
  return shape.pooling_type || cache.tokens() > 32768 ? 2048 : cache.tokens() > 4096 ? 1024 : 512;
}

// What the logs of both eras say for the test models, in bytes a batch token: the attention mask (f16 in C,
// f32 and its f16 copy in B) over a slot's context, 2 x embedding + 3.5 x feed-forward activations in f32,
// and the logits of a batch, which rule where the vocabulary is large.
std::optional<std::uint64_t> compute_bytes(const ModelShape& shape, const Cache& cache, ServerEra era) {
  if (!shape.embedding_length || !shape.vocabulary) {
    return std::nullopt;
  }
  const double embedding = *shape.embedding_length;
  const double feed_forward = shape.feed_forward_length ? *shape.feed_forward_length : 4 * embedding;
  const double vocabulary = *shape.vocabulary;
  const double mask = (era == ServerEra::c ? 2 : 6) * cache.slot_tokens;
  return saturated(batch_tokens(shape, cache, era) *
                   (mask + 8 * embedding + 14 * feed_forward + 4 * vocabulary));
}

Forecast guess(const InstalledModel& model) {
  Forecast out;
  out.bytes = saturated(static_cast<double>(model.weights_bytes) * 1.2);
  out.basis = "a guess: file size " + format_bytes(model.weights_bytes) + " x 1.2 (" +
              (model.shape ? "the cache of architecture " + model.shape->architecture + " is not known"
                           : std::string("its header cannot be read")) +
              ")";
  out.guess = true;
  return out;
}

}  // namespace

ServerEra server_era(const std::string& version) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2 || (major == 0 && minor == 0)) {
    return ServerEra::unknown;  // a build without a version says 0.0.0
  }
  return major > 0 || minor >= 30 ? ServerEra::c : ServerEra::b;
}

Forecast forecast_load(const InstalledModel& model, std::uint32_t num_ctx, const ForecastSettings& settings) {
  const auto cache = model.shape ? kv_cache(*model.shape, num_ctx, settings) : std::nullopt;
  if (!cache) {
    return guess(model);
  }
  const std::uint64_t weights = saturated(static_cast<double>(model.weights_bytes));
  const std::uint64_t kv = saturated(cache->bytes);
  const double cells = kv == 0 ? 0 : cache->tokens();
  const std::uint64_t process =
      saturated((settings.era == ServerEra::c ? kProcessC : kProcessB) + kCellBytes * cells);
  Forecast out;
  out.bytes = weights + kv + process;
  if (const auto compute = compute_bytes(*model.shape, *cache, settings.era)) {
    const bool caches_prompts = settings.era != ServerEra::b;
    out.upper_bytes = out.bytes + *compute + (caches_prompts ? settings.prompt_cache_bytes : 0);
  }
  out.basis = "weights " + format_bytes(weights) + " + KV " + format_bytes(kv) + " + process " +
              format_bytes(process);
  return out;
}

}  // namespace llamavisor
