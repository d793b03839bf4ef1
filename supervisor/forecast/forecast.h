// Bytes that a load will hold. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "domain/model.h"

namespace llamavisor {

// b: runners inside the ollama program (0.11.5 to 0.24); c: llama-server (0.30 and newer).
enum class ServerEra { unknown, b, c };
ServerEra server_era(const std::string& version);

struct ForecastSettings {
  ServerEra era = ServerEra::unknown;
  std::uint32_t num_parallel = 1;
  std::string kv_cache_type;             // "", "f16", "q8_0", "q4_0"
  std::uint64_t prompt_cache_bytes = 0;  // LLAMA_ARG_CACHE_RAM; era c only
};

// bytes = weights + KV cache + process; upper_bytes adds the compute buffers (reserved at load, touched by
// long prompts) and a full prompt cache. num_ctx above the training length counts as the training length.
Forecast forecast_load(const InstalledModel& model, std::uint32_t num_ctx, const ForecastSettings& settings);

}  // namespace llamavisor
