// tier_context: the more memory a model may take, the longer the context that it is loaded with.
//
// 1. A client's wish (options.num_ctx) is honoured, and so is the model's own PARAMETER num_ctx: tiers are
//    only for requests that leave the choice to us. Whether the wish fits is for admission to say.
// 2. Otherwise the memory that the model may take picks a tier: the last one that starts at or below it.
// 3. If the weights and the cache of that many tokens would not fit, the next smaller tier is tried. The
//    smallest tier stands even then: admission refuses with better words than "context 0".
// 4. In every case the result is clamped to the length that the model was trained for.
#include <algorithm>
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>

namespace {

using namespace llamavisor;

struct Tier {
  Bytes from;
  std::uint32_t num_ctx;
};

constexpr std::uint32_t kMaxTokens = 1U << 26U;

// "8GB:8192"
Tier parse_tier(const std::string& entry) {
  const std::size_t colon = entry.find(':');
  const auto from = text::parse_bytes(entry.substr(0, colon));
  const std::string tokens = colon == std::string::npos ? "" : entry.substr(colon + 1);
  std::uint32_t num_ctx = 0;
  const auto [end, error] = std::from_chars(tokens.data(), tokens.data() + tokens.size(), num_ctx);
  const bool whole = error == std::errc{} && end == tokens.data() + tokens.size();
  if (!from || !whole || num_ctx == 0 || num_ctx > kMaxTokens) {
    throw PluginError(LLV_E_INVALID,
                      "tiers: \"" + entry + "\" is not a tier; write memory:tokens, like \"8GB:8192\"");
  }
  return {*from, num_ctx};
}

std::vector<Tier> parse_tiers(const std::vector<std::string>& entries) {
  std::vector<Tier> out;
  for (const std::string& entry : entries) {
    const Tier tier = parse_tier(entry);
    if (!out.empty() && (tier.from <= out.back().from || tier.num_ctx < out.back().num_ctx)) {
      throw PluginError(LLV_E_INVALID, "tiers: \"" + entry + "\" must have more memory than \"" +
                                           "the tier before it, and not fewer tokens");
    }
    out.push_back(tier);
  }
  if (out.empty() || out.front().from != 0) {
    throw PluginError(LLV_E_INVALID, "tiers: the first one must start at 0, like \"0:2048\"");
  }
  return out;
}

// What the model may take; the machine's own word where the host did not work it out.
std::optional<Bytes> memory_for(const Snapshot& snapshot, const ContextRequest& request) {
  return request.room ? request.room : snapshot.available;
}

bool fits(const ContextModel& model, std::uint32_t num_ctx, Bytes memory) {
  return !model.weights || !model.kv_bytes_per_token ||
         *model.weights + *model.kv_bytes_per_token * num_ctx <= memory;
}

class TierContext final : public Context {
 public:
  TierContext(Host /*host*/, const Config& config) : tiers_(parse_tiers(config.list("tiers"))) {}

  ContextChoice choose(const Snapshot& snapshot, const ContextModel& model,
                       const ContextRequest& request) override {
    ContextChoice choice = unclamped(snapshot, model, request);
    if (model.trained_context && choice.num_ctx > *model.trained_context) {
      choice.num_ctx = std::max(1U, *model.trained_context);
      choice.reason += "; model trained for " + std::to_string(*model.trained_context) + ", so " +
                       std::to_string(choice.num_ctx);
    }
    return choice;
  }

 private:
  [[nodiscard]] ContextChoice unclamped(const Snapshot& snapshot, const ContextModel& model,
                                        const ContextRequest& request) const {
    if (request.wish && *request.wish > 0) {
      return {*request.wish, "the client asked for " + std::to_string(*request.wish)};
    }
    if (model.parameter_num_ctx && *model.parameter_num_ctx > 0) {
      return {*model.parameter_num_ctx,
              "the model's own PARAMETER num_ctx: " + std::to_string(*model.parameter_num_ctx)};
    }
    if (const auto memory = memory_for(snapshot, request)) {
      return from_tiers(model, *memory);
    }
    const std::uint32_t num_ctx = request.default_num_ctx.value_or(tiers_.front().num_ctx);
    return {num_ctx, "available memory unknown, so the default: " + std::to_string(num_ctx)};
  }

  [[nodiscard]] ContextChoice from_tiers(const ContextModel& model, Bytes memory) const {
    auto tier = std::prev(std::upper_bound(tiers_.begin(), tiers_.end(), memory,
                                           [](Bytes bytes, const Tier& t) { return bytes < t.from; }));
    const std::string which =
        tier->from == 0 ? "smallest tier" : "tier of " + text::bytes(tier->from) + " available";
    ContextChoice choice{tier->num_ctx, which + ": " + std::to_string(tier->num_ctx)};
    if (fits(model, tier->num_ctx, memory)) {
      return choice;
    }
    while (tier != tiers_.begin() && !fits(model, tier->num_ctx, memory)) {
      --tier;
    }
    if (tier->num_ctx != choice.num_ctx) {
      choice.reason +=
          "; with its weights that exceeds " + text::bytes(memory) + ", so " + std::to_string(tier->num_ctx);
      choice.num_ctx = tier->num_ctx;
    }
    return choice;
  }

  std::vector<Tier> tiers_;
};

}  // namespace

LLV_PLUGIN(TierContext, "tier_context", "1.0.0",
           "Picks the context length by the memory that the model may take",
           key(LLV_KEY_STR_LIST, "tiers", R"(["0:2048", "4GB:4096", "8GB:8192", "16GB:16384", "32GB:32768"])",
               "memory:tokens, ascending; the last tier that starts at or below the memory is taken"))
