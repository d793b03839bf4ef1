// The figures are those of the servers' logs for the models of tests/support/arch_models.py.
#include "forecast/layers.h"

#include "forecast/fit.h"
#include "support/catch.h"

using namespace llamavisor;

namespace {

constexpr std::uint64_t kKiB = 1U << 10U;
constexpr std::uint64_t kMiB = 1U << 20U;

InstalledModel made(const std::string& architecture) {
  InstalledModel out;
  out.weights_bytes = 72 * kMiB;
  out.shape.emplace();
  out.shape->architecture = architecture;
  out.shape->block_count = 6;
  out.shape->context_length = 131072;
  out.shape->embedding_length = 512;
  out.shape->feed_forward_length = 1536;
  out.shape->head_count = 8;
  out.shape->head_count_kv = 4;
  out.shape->vocabulary = 354;
  return out;
}

ForecastParts parts(const InstalledModel& model, std::uint32_t num_ctx, ServerEra era) {
  ForecastSettings settings;
  settings.era = era;
  return forecast_parts(model, num_ctx, settings);
}

}  // namespace

TEST_CASE("layers with a window hold the window and a batch; era b's llama.cpp holds all") {
  InstalledModel model = made("gemma2");
  model.shape->sliding_window = 1024;
  CHECK(parts(model, 2048, ServerEra::c).kv_bytes == (6 + 4) * kMiB + 512 * kKiB);
  CHECK(parts(model, 32768, ServerEra::c).kv_bytes == (96 + 6) * kMiB);
  CHECK(parts(model, 32768, ServerEra::b).kv_bytes == 192 * kMiB);
  model = made("gemma3");
  model.shape->sliding_window = 512;
  CHECK(parts(model, 2048, ServerEra::c).kv_bytes == 7 * kMiB);
  CHECK(parts(model, 32768, ServerEra::b).kv_bytes == 37 * kMiB);
  CHECK(parts(model, 2048, ServerEra::c).checkpoint_bytes == 5 * kMiB * 9 / 4);
  CHECK(parts(model, 2048, ServerEra::b).checkpoint_bytes == 0);
  model.shape->sliding_window.reset();
  CHECK(parts(model, 2048, ServerEra::c).guess);
}

TEST_CASE("a compressed cache holds keys and values in one; era b has room for both") {
  InstalledModel model = made("deepseek2");
  model.shape->head_count_kv = 1;
  model.shape->key_length = 160;
  model.shape->value_length = 128;
  model.shape->key_length_mla = 96;
  CHECK(parts(model, 2048, ServerEra::c).kv_bytes == 3840 * kKiB);
  CHECK(parts(model, 2048, ServerEra::b).kv_bytes == 6912 * kKiB);
}

TEST_CASE("a recurrent layer keeps the same for any context, once for each slot") {
  InstalledModel model = made("mamba");
  model.shape->block_count = 8;
  model.shape->head_count = 0;
  model.shape->head_count_kv.reset();
  model.shape->ssm_conv_kernel = 4;
  model.shape->ssm_inner_size = 1024;
  model.shape->ssm_state_size = 64;
  CHECK(parts(model, 2048, ServerEra::c).kv_bytes == 0);
  CHECK(parts(model, 2048, ServerEra::c).state_bytes == 2 * kMiB + 96 * kKiB);
  CHECK(parts(model, 32768, ServerEra::c).bytes() == parts(model, 2048, ServerEra::c).bytes());
  ForecastSettings settings;
  settings.num_parallel = 3;
  CHECK(forecast_parts(model, 2048, settings).state_bytes == 3 * (2 * kMiB + 96 * kKiB));
}

TEST_CASE("a hybrid caches in the layers that attend and keeps a state in the others") {
  InstalledModel model = made("granitehybrid");
  model.shape->head_count_kv.reset();
  model.shape->layer_head_counts_kv = {0, 0, 4, 0, 0, 4};
  model.shape->ssm_conv_kernel = 4;
  model.shape->ssm_inner_size = 1024;
  model.shape->ssm_state_size = 64;
  model.shape->ssm_group_count = 1;
  CHECK(parts(model, 2048, ServerEra::c).kv_bytes == 4 * kMiB);
  CHECK(parts(model, 2048, ServerEra::c).state_bytes == kMiB + 54 * kKiB);
  model.shape->architecture = "lfm2";
  model.shape->shortconv_l_cache = 3;
  CHECK(parts(model, 2048, ServerEra::c).state_bytes == 16 * kKiB);
}

TEST_CASE("the largest context is the last step that fits") {
  const InstalledModel model = made("llama");
  ForecastSettings settings;
  settings.era = ServerEra::c;
  const auto bytes = [&](std::uint32_t num_ctx) { return forecast_parts(model, num_ctx, settings).bytes(); };
  CHECK(largest_num_ctx(model, settings, bytes(8192)) == 8192U);
  CHECK(largest_num_ctx(model, settings, bytes(8192) - 1) == 8192U - 256);
  CHECK(largest_num_ctx(model, settings, 1ULL << 40U) == 131072U);
  CHECK_FALSE(largest_num_ctx(model, settings, 60 * kMiB).has_value());
  CHECK_FALSE(largest_num_ctx(made("rwkv7"), settings, 1ULL << 40U).has_value());
}
