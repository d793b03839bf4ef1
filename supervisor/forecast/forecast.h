// Bytes that a load will hold. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/settings.h"
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

// What the configuration says of it; the era is the running server's to tell.
ForecastSettings forecast_settings(const ServerSettings& server);

// The sizes a forecast is made of. Those of a guess are 0 but for the weights.
struct ForecastParts {
  std::uint64_t weights_bytes = 0;
  std::uint64_t kv_bytes = 0;     // what attention keeps of each token
  std::uint64_t state_bytes = 0;  // what recurrent layers keep of each sequence
  std::uint64_t process_bytes = 0;
  std::optional<std::uint64_t> compute_bytes;  // reserved at load, touched by a long prompt
  std::uint64_t prompt_cache_bytes = 0;        // grows with distinct prompts; era c only
  std::uint64_t checkpoint_bytes = 0;          // copies of windows and states; era c only
  double band = 0;                             // what was measured lies within this share of bytes()
  bool guess = false;                          // weights x 1.2, whatever the context is
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::optional<std::uint64_t> upper_bytes()
      const;  // absent: the header lacks the sizes for it
};
ForecastParts forecast_parts(const InstalledModel& model, std::uint32_t num_ctx,
                             const ForecastSettings& settings);

// bytes = weights + KV cache + recurrent state + process: the footprint after a short prompt.
// upper_bytes adds what a long prompt touches (compute buffers, reserved at load; checkpoints) and a full
// prompt cache; absent where the header lacks the sizes for it. num_ctx above the training length counts as
// that length. An architecture that these formulas do not tell gets the size of its files x 1.2, marked as a
// guess.
Forecast forecast_load(const InstalledModel& model, std::uint32_t num_ctx, const ForecastSettings& settings);

}  // namespace llamavisor
