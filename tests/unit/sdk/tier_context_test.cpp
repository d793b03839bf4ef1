// tier_context, as built, through the C tables.
#include <optional>

#include "support/catch.h"
#include "unit/sdk/plugin_rig.h"

using namespace sdk_rig;

namespace {

using Maybe = std::optional<std::uint64_t>;

struct Question {
  Maybe room{}, wish{}, parameter{}, trained{}, weights{}, kv_per_token{}, default_num_ctx{}, available{};
};

template <class T>
void set(std::uint64_t& known, std::uint64_t bit, T& field, const Maybe& value) {
  if (value) {
    known |= bit;
    field = static_cast<T>(*value);
  } else {
    field = static_cast<T>(12345);  // must not be read
  }
}

std::map<std::string, Value> tiers(std::vector<std::string> list) {
  return {{"tiers", std::move(list)}};
}

struct Choice : Answer {
  std::uint32_t num_ctx;
  std::string reason;
};

Choice ask(const Question& q) {
  const Instance plugin(shipped("tier_context"), tiers({"0:2048", "4GB:4096", "8GB:8192", "16GB:16384"}));
  REQUIRE(plugin.made.code == LLV_OK);
  llv_snapshot snapshot = snapshot_of(nullptr, 0, sizeof(llv_model));
  set(snapshot.known, LLV_SNAPSHOT_HAS_AVAILABLE, snapshot.available_bytes, q.available);
  llv_context_model model{};
  model.struct_size = sizeof model;
  set(model.known, LLV_CONTEXT_MODEL_HAS_WEIGHTS, model.weights_bytes, q.weights);
  set(model.known, LLV_CONTEXT_MODEL_HAS_KV_PER_TOKEN, model.kv_bytes_per_token, q.kv_per_token);
  set(model.known, LLV_CONTEXT_MODEL_HAS_TRAINED_CONTEXT, model.trained_context, q.trained);
  set(model.known, LLV_CONTEXT_MODEL_HAS_PARAMETER_NUM_CTX, model.parameter_num_ctx, q.parameter);
  llv_context_request request{};
  request.struct_size = sizeof request;
  set(request.known, LLV_CONTEXT_REQUEST_HAS_WISH, request.wished_num_ctx, q.wish);
  set(request.known, LLV_CONTEXT_REQUEST_HAS_DEFAULT, request.default_num_ctx, q.default_num_ctx);
  set(request.known, LLV_CONTEXT_REQUEST_HAS_ROOM, request.room_bytes, q.room);
  Text reason;
  Text error;
  llv_context_choice choice{sizeof choice, 0, reason.get()};
  const auto& role = plugin.role<llv_context>(LLV_ROLE_CONTEXT);
  const std::int32_t code = role.choose(plugin.self(), &snapshot, &model, &request, &choice, error.get());
  return {{code, error.str()}, choice.num_ctx, reason.str()};
}

Answer configured(std::vector<std::string> list) {
  return Instance(shipped("tier_context"), tiers(std::move(list))).made;
}

}  // namespace

TEST_CASE("tier_context takes the last tier that starts at or below the room") {
  CHECK(ask({.room = kGiB}).num_ctx == 2048);
  CHECK(ask({.room = kGiB}).reason == "smallest tier: 2048");
  CHECK(ask({.room = 8 * kGiB - 1}).num_ctx == 4096);
  CHECK(ask({.room = 8 * kGiB}).num_ctx == 8192);
  CHECK(ask({.room = 8 * kGiB}).reason == "tier of 8 GB available: 8192");
  CHECK(ask({.room = 900 * kGiB}).num_ctx == 16384);
}

TEST_CASE("tier_context clamps to the training length and says so") {
  const Choice choice = ask({.room = 9 * kGiB, .trained = 4096});
  CHECK(choice.num_ctx == 4096);
  CHECK(choice.reason == "tier of 8 GB available: 8192; model trained for 4096, so 4096");
}

TEST_CASE("tier_context honours the client's wish before the model's parameter, and that before the tiers") {
  const Choice wish = ask({.room = kGiB, .wish = 32768, .parameter = 1024});
  CHECK(wish.num_ctx == 32768);
  CHECK(wish.reason == "the client asked for 32768");
  const Choice parameter = ask({.room = 9 * kGiB, .parameter = 1024});
  CHECK(parameter.num_ctx == 1024);
  CHECK(parameter.reason == "the model's own PARAMETER num_ctx: 1024");
}

TEST_CASE("tier_context clamps a wish as well") {
  const Choice choice = ask({.room = kGiB, .wish = 32768, .trained = 2048});
  CHECK(choice.num_ctx == 2048);
  CHECK(choice.reason == "the client asked for 32768; model trained for 2048, so 2048");
}

TEST_CASE("tier_context takes a smaller tier when the cache of the larger one would not fit") {
  // 7 GB of weights in 8 GB: 1 GB is left for the cache, and 8192 tokens of 256 KB need 2 GB.
  const Choice choice = ask({.room = 8 * kGiB, .weights = 7 * kGiB, .kv_per_token = 256 * 1024});
  CHECK(choice.num_ctx == 4096);
  CHECK(choice.reason == "tier of 8 GB available: 8192; with its weights that exceeds 8 GB, so 4096");
}

TEST_CASE("tier_context keeps the smallest tier for a model that fits nowhere") {
  CHECK(ask({.room = 8 * kGiB, .weights = 70 * kGiB, .kv_per_token = 1}).num_ctx == 2048);
}

TEST_CASE("tier_context uses the machine's memory without a room, and the default without either") {
  CHECK(ask({.available = 5 * kGiB}).num_ctx == 4096);
  const Choice blind = ask({.default_num_ctx = 3000});
  CHECK(blind.num_ctx == 3000);
  CHECK(blind.reason == "available memory unknown, so the default: 3000");
  CHECK(ask({}).num_ctx == 2048);
}

TEST_CASE("tier_context refuses tiers that make no sense, in words") {
  CHECK(configured({"0:2048", "1.5 GB:4096"}).code == LLV_OK);
  for (const char* bad :
       {"4GB", "4GB:", "4GB:x", "4GB:0", ":4096", "4XB:4096", "-1:4096", "4GB:4096 tokens"}) {
    const Answer answer = configured({"0:2048", bad});
    CAPTURE(bad);
    CHECK(answer.code == LLV_E_INVALID);
    CHECK(answer.text ==
          "tiers: \"" + std::string(bad) + "\" is not a tier; write memory:tokens, like \"8GB:8192\"");
  }
  CHECK(configured({"0:2048", "8GB:8192", "4GB:9000"}).code == LLV_E_INVALID);
  CHECK(configured({"0:2048", "8GB:1024"}).code == LLV_E_INVALID);
  CHECK(configured({"1GB:2048"}).text == "tiers: the first one must start at 0, like \"0:2048\"");
  CHECK(configured({}).code == LLV_E_INVALID);
}
