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
  ServerEra era = ServerEra::unknown;  // unknown: the larger of two figures counts
  std::uint32_t num_parallel = 1;
  std::string kv_cache_type;             // "", "f16", "q8_0", "q4_0"
  bool flash_attention = false;          // asked for expressly: without it era b keeps the cache in f16
  std::uint64_t prompt_cache_bytes = 0;  // LLAMA_ARG_CACHE_RAM; era c only
};

// bytes = weights + KV cache + process: the footprint after a short prompt, within 10 % of what was measured.
// upper_bytes adds what a long prompt touches (compute buffers, reserved at load) and a full prompt cache;
// absent where the header lacks the sizes for it. num_ctx above the training length counts as that length.
// An architecture whose cache these formulas do not tell gets the size of its files x 1.2, marked as a guess.
Forecast forecast_load(const InstalledModel& model, std::uint32_t num_ctx, const ForecastSettings& settings);

}  // namespace llamavisor
