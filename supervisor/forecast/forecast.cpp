#include "forecast/forecast.h"

#include <algorithm>
#include <cstdio>

#include "base/units.h"
#include "forecast/cache.h"

namespace llamavisor {
namespace {

// Anonymous memory of a runner besides weights and caches (tests/e2e/test_estimate.py measures it anew): the
// heap of llama-server, or the heap and the Go runtime of `ollama runner`. Measured on 0.32.5: 4.2 to 4.8
// MiB, on 0.24.0: 8.3 to 9.7 MiB, each with 2 to 16 layers, plus 50 bytes for each cell of the cache, where
// llama.cpp notes its position, shift and sequences (struct llama_kv_cells). The engine of era b holds masks
// of a batch over all cells instead: 22 to 33 MiB at 2048 tokens, 46 at 8192, 158 at 32768. An encoder
// touches 2 to 4 MiB of its compute buffers with the shortest text.
constexpr double kMiB = 1U << 20U;
constexpr double kProcessB = 8.8 * kMiB;
constexpr double kProcessEngineB = 13 * kMiB;
constexpr double kProcessC = 4.5 * kMiB;
constexpr double kCellBytes = 50;
constexpr double kEngineCellBytes = 4800;
constexpr double kEncoderBytes = 3 * kMiB;
// llama-server copies windows and states at the end of a prompt (twice) and each 8192 tokens before it, at
// most 32 times.
constexpr double kMaxCheckpoints = 32;
constexpr double kCheckpointTokens = 8192;
constexpr double kGuessFactor = 1.2;

// Sizes come from files that anybody may have written: a product of them may be absurd, but must not wrap
// around to something small. The cap leaves room to add a few.
std::uint64_t saturated(double bytes) {
  constexpr double cap = 1ULL << 60U;
  return static_cast<std::uint64_t>(std::min(bytes, cap));
}

double process_bytes(const ModelShape& shape, const Cache& cache, ServerEra era) {
  if (is_encoder(shape.architecture)) {
    return (era == ServerEra::c ? kProcessC : kProcessB) + kEncoderBytes;
  }
  if (in_ollama_engine(shape.architecture, era)) {
    return kProcessEngineB + kEngineCellBytes * cache.slot_tokens * cache.slots;
  }
  return (era == ServerEra::c ? kProcessC : kProcessB) + kCellBytes * cache.cells;
}

ForecastParts guess(const InstalledModel& model) {
  ForecastParts out;
  out.weights_bytes = saturated(static_cast<double>(model.weights_bytes));
  out.band = 0.5;
  out.guess = true;
  return out;
}

std::string basis_of(const InstalledModel& model, const ForecastParts& parts) {
  if (parts.guess) {
    return "a guess: file size " + format_bytes(model.weights_bytes) + " x 1.2 (" +
           (model.shape ? "the cache of architecture " + model.shape->architecture + " is not known"
                        : std::string("its header cannot be read")) +
           ")";
  }
  return "weights " + format_bytes(parts.weights_bytes) + " + KV " + format_bytes(parts.kv_bytes) +
         (parts.state_bytes > 0 ? " + state " + format_bytes(parts.state_bytes) : "") + " + process " +
         format_bytes(parts.process_bytes);
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

ForecastSettings forecast_settings(const ServerSettings& server) {
  return {.num_parallel = server.num_parallel,
          .kv_cache_type = server.kv_cache_type,
          .flash_attention = server.flash_attention,
          .prompt_cache_bytes = server.prompt_cache_bytes};
}

std::uint64_t ForecastParts::bytes() const {
  return guess ? saturated(static_cast<double>(weights_bytes) * kGuessFactor)
               : weights_bytes + kv_bytes + state_bytes + process_bytes;
}

std::optional<std::uint64_t> ForecastParts::upper_bytes() const {
  return compute_bytes ? std::optional(bytes() + *compute_bytes + checkpoint_bytes + prompt_cache_bytes)
                       : std::nullopt;
}

ForecastParts forecast_parts(const InstalledModel& model, std::uint32_t num_ctx,
                             const ForecastSettings& settings) {
  const auto plan = model.shape ? plan_layers(*model.shape, settings.era) : std::nullopt;
  if (!plan) {
    return guess(model);
  }
  const Cache cache = cache_of(*model.shape, *plan, num_ctx, settings);
  ForecastParts out;
  out.weights_bytes = saturated(static_cast<double>(model.weights_bytes));
  out.kv_bytes = saturated(cache.kv_bytes);
  out.state_bytes = saturated(cache.state_bytes);
  out.process_bytes = saturated(process_bytes(*model.shape, cache, settings.era));
  out.band = in_ollama_engine(model.shape->architecture, settings.era) ? 0.15 : 0.05;
  if (const auto compute = compute_bytes(*model.shape, cache, settings.era)) {
    out.compute_bytes = saturated(*compute);
  }
  if (settings.era != ServerEra::b) {
    out.prompt_cache_bytes = settings.prompt_cache_bytes;
    const double copies = std::min(kMaxCheckpoints, 2 + cache.slot_tokens / kCheckpointTokens);
    out.checkpoint_bytes = saturated(copies * cache.checkpoint_bytes);
  }
  return out;
}

Forecast forecast_load(const InstalledModel& model, std::uint32_t num_ctx, const ForecastSettings& settings) {
  const ForecastParts parts = forecast_parts(model, num_ctx, settings);
  return {parts.bytes(), parts.upper_bytes(), basis_of(model, parts), parts.guess};
}

}  // namespace llamavisor
