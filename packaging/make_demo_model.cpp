// make-demo-model MODELS_DIR NAME [options]: plants a small model that answers with the alphabet, so that a
// fresh machine has something to answer the first request without a download; the tests use it too.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <exception>

#include "model_maker.h"

int main(int argc, char** argv) {
  llamavisor::MadeModel model;
  CLI::App app("Plants a small model that answers with the alphabet in an Ollama models folder");
  app.add_option("models_dir", model.models_dir, "The models folder (OLLAMA_MODELS)")->required();
  app.add_option("name", model.name, "Name of the model, without a tag")->required();
  app.add_option("--layers", model.layers, "Layers");
  app.add_option("--embd", model.embedding, "Embedding length")->check(CLI::Range(354, 65536));
  app.add_option("--ff", model.feed_forward, "Feed-forward length");
  app.add_option("--heads", model.heads, "Attention heads")->check(CLI::PositiveNumber);
  app.add_option("--kv-heads", model.kv_heads, "Key and value heads")->check(CLI::PositiveNumber);
  app.add_option("--ctx", model.context, "Tokens it claims to be trained for");
  app.add_option("--seed", model.seed, "Another seed makes another blob");
  app.add_option("--pooling", model.pooling, "Pooling type: makes an embedding model");
  app.add_option("--num-ctx", model.param_num_ctx, "PARAMETER num_ctx");
  app.add_flag("--eos", model.ends, "The answer ends by itself after z");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto bytes = llamavisor::make_model(model);
    std::printf("%s: %llu bytes of weights, %llu bytes of f16 KV cache a token\n", model.name.c_str(),
                static_cast<unsigned long long>(bytes),
                2ULL * model.layers * model.kv_heads * (model.embedding / model.heads) * 2);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make-demo-model: %s\n", error.what());
    return 1;
  }
}
