#include "forecast/forecast.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "base/units.h"

namespace llamavisor {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// Anonymous memory of a runner besides weights and KV: measured on 0.32.5 and 0.24.0 with models of 8 to
// 241 MiB (tests/e2e/test_forecast.py measures it anew).
std::uint64_t process_bytes(ServerEra era) {
  return (era == ServerEra::b ? 9 : 5) * kMiB;
}

// Bytes of one cached value: ggml's block sizes, q8_0 34 bytes and q4_0 18 bytes for 32 values.
double kv_value_bytes(const std::string& type) {
  return type == "q8_0" ? 34.0 / 32 : type == "q4_0" ? 18.0 / 32 : 2.0;
}

// Architectures whose cache is what kv_bytes() says: every layer attends to the whole context.
bool is_plain_attention(const std::string& architecture) {
  static const std::set<std::string> known{"llama",    "qwen2",      "qwen3",    "mistral",   "phi3",
                                           "granite",  "starcoder2", "qwen2moe", "qwen3moe",  "falcon",
                                           "stablelm", "internlm2",  "bert",     "nomic-bert"};
  return known.contains(architecture);
}

struct Cache {
  std::uint64_t tokens = 0;
  std::uint64_t bytes = 0;
};

// n_layer x n_head_kv x (key_length x bytes + value_length x bytes) a token, as llama.cpp allocates it; the
// context is rounded up to 256 tokens for each parallel slot.
std::optional<Cache> kv_cache(const ModelShape& shape, std::uint32_t num_ctx,
                              const ForecastSettings& settings) {
  if (!shape.block_count || !shape.head_count || *shape.head_count == 0 || !shape.embedding_length ||
      !is_plain_attention(shape.architecture)) {
    return std::nullopt;
  }
  const std::uint32_t parallel = shape.pooling_type ? 1 : std::max(settings.num_parallel, 1U);
  const std::uint64_t clamped = std::min<std::uint64_t>(num_ctx, shape.context_length.value_or(num_ctx));
  const std::uint64_t head = *shape.embedding_length / *shape.head_count;
  const std::uint64_t key = shape.key_length.value_or(static_cast<std::uint32_t>(head));
  const std::uint64_t value = shape.value_length.value_or(static_cast<std::uint32_t>(head));
  const std::uint64_t heads = shape.head_count_kv.value_or(*shape.head_count);
  Cache out;
  out.tokens = (clamped + 255) / 256 * 256 * parallel;
  const double a_token = static_cast<double>(*shape.block_count * heads * (key + value)) *
                         kv_value_bytes(settings.kv_cache_type);
  out.bytes = static_cast<std::uint64_t>(std::llround(a_token * static_cast<double>(out.tokens)));
  return out;
}

// Rule of thumb for CPU compute buffers: 4 bytes x batch x (embedding + vocabulary); the vocabulary is not in
// the shape, so the usual 150,000 stands for it; without flash attention the scores of one layer come on top.
std::uint64_t compute_bytes(const ModelShape& shape, std::uint64_t tokens) {
  const std::uint64_t batch = tokens > 32768 ? 2048 : tokens > 4096 ? 1024 : 512;
  return 4 * batch * (shape.embedding_length.value_or(0) + 150'000) +
         4 * batch * tokens * shape.head_count.value_or(0) / 8;
}

Forecast guess(const InstalledModel& model) {
  Forecast out;
  out.bytes = static_cast<std::uint64_t>(static_cast<double>(model.weights_bytes) * 1.2);
  out.basis = "a guess: file size " + format_bytes(model.weights_bytes) + " x 1.2 (" +
              (model.shape ? "architecture " + model.shape->architecture + " is not known"
                           : std::string("its header cannot be read")) +
              ")";
  out.guess = true;
  return out;
}

}  // namespace

ServerEra server_era(const std::string& version) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2) {
    return ServerEra::unknown;
  }
  return major > 0 || minor >= 30 ? ServerEra::c : ServerEra::b;
}

Forecast forecast_load(const InstalledModel& model, std::uint32_t num_ctx, const ForecastSettings& settings) {
  const auto cache = model.shape ? kv_cache(*model.shape, num_ctx, settings) : std::nullopt;
  if (!cache) {
    return guess(model);
  }
  Forecast out;
  const std::uint64_t process = process_bytes(settings.era);
  out.bytes = model.weights_bytes + cache->bytes + process;
  out.upper_bytes = out.bytes + compute_bytes(*model.shape, cache->tokens) +
                    (settings.era == ServerEra::b ? 0 : settings.prompt_cache_bytes);
  out.basis = "weights " + format_bytes(model.weights_bytes) + " + KV " + format_bytes(cache->bytes) +
              " + process " + format_bytes(process);
  return out;
}

}  // namespace llamavisor
