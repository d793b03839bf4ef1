// my_plugin: a context policy. Change choose().
//
// This one gives each model what the request wishes or the server would take, but never more than `most`.
#include <llamavisor/plugin.hpp>

#include <algorithm>

namespace {

using namespace llamavisor;

class Policy final : public Context {
 public:
  // Read the configuration here: it is checked already, and valid only now.
  Policy(Host /*host*/, const Config& config) : most_(static_cast<std::uint32_t>(config.integer("most"))) {}

  // Asked once for each load; the number holds until the model is unloaded.
  ContextChoice choose(const Snapshot& /*snapshot*/, const ContextModel& model,
                       const ContextRequest& request) override {
    // What is not known is empty, not zero: choose what that shall mean.
    const std::uint32_t wanted = request.wish.value_or(request.default_num_ctx.value_or(4096));
    const std::uint32_t possible = model.trained_context.value_or(most_);
    const std::uint32_t num_ctx = std::min({wanted, possible, most_});
    return {num_ctx, num_ctx < wanted ? "as much as is allowed" : "as was wished"};
  }

 private:
  std::uint32_t most_;
};

}  // namespace

// Class, id, version, one line about it, and the keys of [plugins.my_plugin].
LLV_PLUGIN(Policy, "my_plugin", "0.1.0", "Caps the context",
           key(LLV_KEY_I64, "most", "8192", "no model gets more tokens of context than this", 1, 1048576))
