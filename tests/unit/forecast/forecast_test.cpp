#include "forecast/forecast.h"

#include "support/catch.h"

using namespace llamavisor;

namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// a128 of the test models: 8 layers, 4 of 8 heads with 64 values each: 8 KiB of f16 cache a token.
InstalledModel a128() {
  InstalledModel out;
  out.name = "a128:latest";
  out.weights_bytes = 127326464;
  out.shape.emplace();
  out.shape->architecture = "llama";
  out.shape->block_count = 8;
  out.shape->context_length = 131072;
  out.shape->embedding_length = 512;
  out.shape->feed_forward_length = 2048;
  out.shape->head_count = 8;
  out.shape->head_count_kv = 4;
  out.shape->vocabulary = 354;
  return out;
}

ForecastSettings era(ServerEra which) {
  ForecastSettings out;
  out.era = which;
  return out;
}

// What the cache adds, seen as the difference to the smallest context.
std::uint64_t cache_bytes(const InstalledModel& model, std::uint32_t num_ctx,
                          const ForecastSettings& settings) {
  InstalledModel no_cache = model;
  no_cache.shape->block_count = 0;
  return forecast_load(model, num_ctx, settings).bytes - forecast_load(no_cache, num_ctx, settings).bytes;
}

}  // namespace

TEST_CASE("the forecast of the test model is what was measured on both eras") {
  const auto within = [](std::uint32_t num_ctx, ServerEra which, double measured_mib) {
    const double mib = static_cast<double>(forecast_load(a128(), num_ctx, era(which)).bytes) / kMiB;
    CHECK(mib == Approx(measured_mib).epsilon(0.01));
  };
  within(2048, ServerEra::c, 141.97);
  within(4096, ServerEra::c, 158.07);
  within(32768, ServerEra::c, 383.41);
  within(65536, ServerEra::c, 641.0);
  within(2048, ServerEra::b, 146.46);
  within(4096, ServerEra::b, 162.56);
  within(32768, ServerEra::b, 387.55);
  within(65536, ServerEra::b, 645.3);
}

TEST_CASE("each parallel slot has the whole context, rounded up to 256 tokens") {
  ForecastSettings settings = era(ServerEra::c);
  CHECK(cache_bytes(a128(), 4096, settings) / kMiB == 32);
  CHECK(cache_bytes(a128(), 3000, settings) == cache_bytes(a128(), 3072, settings));
  settings.num_parallel = 3;
  CHECK(cache_bytes(a128(), 3000, settings) / kMiB == 72);
  settings.num_parallel = 0;
  CHECK(cache_bytes(a128(), 4096, settings) / kMiB == 32);
}

TEST_CASE("a context above the training length counts as that length") {
  const ForecastSettings settings = era(ServerEra::c);
  CHECK(forecast_load(a128(), 4'000'000, settings).bytes == forecast_load(a128(), 131072, settings).bytes);
}

TEST_CASE("a quantized cache counts where the server really quantizes") {
  ForecastSettings settings = era(ServerEra::c);
  settings.kv_cache_type = "q8_0";
  CHECK(cache_bytes(a128(), 4096, settings) / kMiB == 17);
  settings.kv_cache_type = "q4_0";
  CHECK(cache_bytes(a128(), 4096, settings) / kMiB == 9);
  settings.era = ServerEra::b;  // without flash attention it stays f16
  CHECK(cache_bytes(a128(), 4096, settings) / kMiB == 32);
  settings.flash_attention = true;
  CHECK(cache_bytes(a128(), 4096, settings) / kMiB == 9);
}

TEST_CASE("key and value length replace the quotient of embedding and heads") {
  InstalledModel model = a128();
  model.shape->key_length = 128;
  model.shape->value_length = 64;
  CHECK(cache_bytes(model, 4096, era(ServerEra::c)) / kMiB == 48);
  model.shape->key_length.reset();
  model.shape->value_length.reset();
  model.shape->head_count_kv.reset();  // no grouped heads: all of them cache
  CHECK(cache_bytes(model, 4096, era(ServerEra::c)) / kMiB == 64);
}

TEST_CASE("an embedding model has one slot, and an encoder no cache at all") {
  ForecastSettings settings = era(ServerEra::c);
  settings.num_parallel = 4;
  InstalledModel model = a128();
  model.shape->pooling_type = 1;
  CHECK(cache_bytes(model, 4096, settings) / kMiB == 32);
  model.shape->architecture = "nomic-bert";
  const Forecast encoder = forecast_load(model, 4096, settings);
  CHECK_FALSE(encoder.guess);
  CHECK((encoder.bytes - model.weights_bytes) / kMiB < 10);
}

TEST_CASE("the upper bound adds compute buffers and the prompt cache that the server may fill") {
  ForecastSettings settings = era(ServerEra::c);
  settings.prompt_cache_bytes = 64 * kMiB;
  const auto above = [&](std::uint32_t num_ctx) {
    const Forecast forecast = forecast_load(a128(), num_ctx, settings);
    return static_cast<double>(forecast.upper_bytes.value() - forecast.bytes) / kMiB;
  };
  CHECK(above(4096) == Approx(64 + 20).epsilon(0.02));  // the server's log: 20, 96 and 320 MiB
  CHECK(above(32768) == Approx(64 + 96).epsilon(0.02));
  CHECK(above(65536) == Approx(64 + 320).epsilon(0.02));
  settings.era = ServerEra::b;  // no prompt cache; the log: 196 MiB
  CHECK(above(65536) == Approx(208).epsilon(0.02));
  InstalledModel without = a128();
  without.shape->vocabulary.reset();
  CHECK_FALSE(forecast_load(without, 4096, settings).upper_bytes.has_value());
}

TEST_CASE("what the formulas do not tell is a guess from the file size, and says so") {
  InstalledModel model = a128();
  model.shape->architecture = "rwkv7";
  Forecast forecast = forecast_load(model, 4096, era(ServerEra::c));
  CHECK(forecast.guess);
  CHECK(forecast.bytes == static_cast<std::uint64_t>(127326464 * 1.2));
  CHECK_FALSE(forecast.upper_bytes.has_value());
  CHECK_THAT(forecast.basis, ContainsSubstring("a guess") && ContainsSubstring("rwkv7"));
  model = a128();
  model.shape->head_count.reset();  // heads that differ from layer to layer
  CHECK(forecast_load(model, 4096, era(ServerEra::c)).guess);
  model.shape.reset();
  forecast = forecast_load(model, 4096, era(ServerEra::c));
  CHECK(forecast.guess);
  CHECK_THAT(forecast.basis, ContainsSubstring("cannot be read"));
}

TEST_CASE("the basis names what the sum is made of") {
  CHECK(forecast_load(a128(), 4096, era(ServerEra::c)).basis ==
        "weights 121 MB + KV 32.0 MB + process 4.70 MB");
}

TEST_CASE("absurd sizes in a header give a huge forecast, not a small one") {
  InstalledModel model = a128();
  model.shape->block_count = 0xffffffffU;
  model.shape->head_count_kv = 1U << 16U;
  model.shape->context_length.reset();
  CHECK(forecast_load(model, 1U << 20U, era(ServerEra::c)).bytes > 1ULL << 60U);
  model.shape->key_length = 0xffffffffU;
  model.shape->head_count_kv = 0xffffffffU;
  CHECK(forecast_load(model, 0xffffffffU, era(ServerEra::c)).bytes > 1ULL << 60U);
}

TEST_CASE("the version tells the era") {
  CHECK(server_era("0.24.0") == ServerEra::b);
  CHECK(server_era("0.11.5") == ServerEra::b);
  CHECK(server_era("0.30.0") == ServerEra::c);
  CHECK(server_era("0.32.15") == ServerEra::c);
  CHECK(server_era("1.0.0-rc1") == ServerEra::c);
  CHECK(server_era("0.0.0") == ServerEra::unknown);
  CHECK(server_era("") == ServerEra::unknown);
  CHECK(forecast_load(a128(), 4096, era(ServerEra::unknown)).bytes ==
        forecast_load(a128(), 4096, era(ServerEra::b)).bytes);
}
