// make-demo-model MODELS_DIR [NAME] [options]: plants a small model that answers with the alphabet, so that a
// fresh machine has something to answer the first request without a download; the tests use it too.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>

#include "model_maker.h"

namespace {

void add_options(CLI::App& app, llamavisor::MadeModel& model) {
  app.add_option("models_dir", model.models_dir, "The models folder (OLLAMA_MODELS)")->required();
  app.add_option("name", model.name, "Name of the model: [namespace/]model[:tag]")->capture_default_str();
  app.add_option("--layers", model.layers, "Layers")->capture_default_str();
  app.add_option("--embd", model.embedding, "Embedding length, at least 354")->capture_default_str();
  app.add_option("--ff", model.feed_forward, "Feed-forward length")->capture_default_str();
  app.add_option("--heads", model.heads, "Attention heads")->capture_default_str();
  app.add_option("--kv-heads", model.kv_heads, "Key and value heads")->capture_default_str();
  app.add_option("--ctx", model.context, "Tokens it claims to be trained for")->capture_default_str();
  app.add_option("--seed", model.seed, "Another seed makes another blob")->capture_default_str();
  app.add_option("--pooling", model.pooling, "Pooling type: makes an embedding model");
  app.add_option("--num-ctx", model.param_num_ctx, "PARAMETER num_ctx");
  app.add_flag("--eos", model.ends, "The answer ends by itself after z");
}

}  // namespace

int main(int argc, char** argv) {
  llamavisor::MadeModel model;
  model.name = "llamavisor-demo";
  CLI::App app("Plants a small model that answers with the alphabet in an Ollama models folder");
  add_options(app, model);
  CLI11_PARSE(app, argc, argv);
  const auto made = llamavisor::make_model(model);
  if (!made) {
    std::fprintf(stderr, "make-demo-model: %s\n", made.error().text().c_str());
    return 1;
  }
  std::printf("%s: %llu bytes of weights, %llu bytes of f16 KV cache a token\n", model.name.c_str(),
              static_cast<unsigned long long>(made->blob_bytes),
              static_cast<unsigned long long>(made->kv_bytes_per_token));
  return 0;
}
