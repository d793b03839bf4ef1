#include "ollama/model_store.h"

#include <atomic>
#include <cstdlib>
#include <thread>

#include "support/catch.h"
#include "support/file_tree.h"
#include "support/models.h"
#include "support/results.h"

using namespace llamavisor;

namespace {

using testing::FileTree;
using testing::plant;
using testing::tiny_model;

const std::string kLibrary = "manifests/registry.ollama.ai/library/";

std::string digest(char c) {
  return "sha256:" + std::string(64, c);
}

std::string layer(const std::string& kind, const std::string& digest, const std::string& size) {
  return R"({"mediaType":"application/vnd.ollama.image.)" + kind + R"(","digest":")" + digest +
         R"(","size":)" + size + "}";
}

std::string manifest(const std::string& layers) {
  return R"({"schemaVersion":2,"layers":[)" + layers + "]}";
}

std::vector<std::string> names(const std::vector<InstalledModel>& models) {
  std::vector<std::string> out;
  for (const InstalledModel& model : models) {
    out.push_back(model.name);
  }
  return out;
}

// $OLLAMA_MODELS for the time of a test.
class ModelsVariable {
 public:
  explicit ModelsVariable(const char* value) {
    const char* old = std::getenv("OLLAMA_MODELS");
    old_ = old == nullptr ? "" : old;
    ::setenv("OLLAMA_MODELS", value, 1);
  }
  ~ModelsVariable() {
    old_.empty() ? ::unsetenv("OLLAMA_MODELS") : ::setenv("OLLAMA_MODELS", old_.c_str(), 1);
  }
  ModelsVariable(const ModelsVariable&) = delete;
  ModelsVariable& operator=(const ModelsVariable&) = delete;

 private:
  std::string old_;
};

}  // namespace

TEST_CASE("a planted model is found with its blob, weights, parameter and shape") {
  const FileTree tree;
  MadeModel made = tiny_model(tree.root(), "llv/tiny:c6k");
  made.param_num_ctx = 6144;
  const PlantedModel planted = plant(made);
  ModelStore store(tree.root());
  const auto found = store.resolve("llv/tiny:c6k");
  REQUIRE(found);
  REQUIRE(found->has_value());
  const InstalledModel& model = **found;
  CHECK(model.name == "llv/tiny:c6k");
  CHECK(model.blob_digest == planted.blob_digest);
  CHECK(model.weights_bytes == planted.blob_bytes);
  CHECK(model.param_num_ctx == 6144U);
  REQUIRE(model.shape);
  CHECK(model.shape->block_count == 2U);
  CHECK(std::filesystem::file_size(model.blob_path) == planted.blob_bytes);
}

TEST_CASE("names are looked up as Ollama does: without case, with the usual parts left out") {
  const FileTree tree;
  const std::string text = manifest(layer("model", digest('a'), "7"));
  tree.write(kLibrary + "Tiny/Q8", text);
  tree.write("manifests/hf.co/Me/Fine-Tune/latest", text);
  ModelStore store(tree.root());
  for (const char* name : {"tiny:q8", "TINY:Q8", "library/tiny:q8", "registry.ollama.ai/library/tiny:q8",
                           "hf.co/me/fine-tune", "HF.co/Me/fine-tune:latest"}) {
    const auto found = store.resolve(name);
    REQUIRE(found);
    CHECK(found->has_value());
  }
  CHECK(names(store.list()) == std::vector<std::string>{"hf.co/me/fine-tune:latest", "tiny:q8"});
}

TEST_CASE("a name without a manifest is absent, and no name leads out of the folder") {
  const FileTree tree;
  tree.write("models/" + kLibrary + "tiny/latest", manifest(layer("model", digest('a'), "7")));
  tree.write("outside", manifest(layer("model", digest('a'), "7")));
  ModelStore store(tree.root() + "/models");
  for (const char* name : {"other", "tiny:q8", "", ":", "/", "a/b/c/d:e", "../../../../outside", "..:latest",
                           "../../../..:outside", "./tiny", "library/../tiny"}) {
    const auto found = store.resolve(name);
    REQUIRE(found);
    CHECK_FALSE(found->has_value());
  }
  CHECK(ModelStore("/nonexistent").list().empty());
  CHECK_FALSE(ModelStore("/nonexistent").resolve("tiny")->has_value());
}

TEST_CASE("weights are the sum of model, projector and adapter layers") {
  const FileTree tree;
  tree.write(kLibrary + "v/latest",
             manifest(layer("model", digest('a'), "100") + "," + layer("projector", digest('b'), "20") + "," +
                      layer("adapter", digest('c'), "3") + "," + layer("template", digest('d'), "5000")));
  tree.write("blobs/sha256-" + std::string(64, 'e'), std::string(44, 'x'));
  tree.write(kLibrary + "w/latest", manifest(layer("model", digest('e'), "null")));
  ModelStore store(tree.root());
  CHECK((*store.resolve("v"))->weights_bytes == 123);
  CHECK((*store.resolve("w"))->weights_bytes == 44);  // the manifest gives no size, the file has one
}

TEST_CASE("a cloud model has no weights here and is not an installed one") {
  const FileTree tree;
  tree.write(kLibrary + "big/cloud", R"({"schemaVersion":2,"layers":null})");
  tree.write(kLibrary + "big/other-cloud", manifest(layer("license", digest('a'), "9")));
  ModelStore store(tree.root());
  CHECK_FALSE(store.resolve("big:cloud")->has_value());
  CHECK(store.list().empty());
}

TEST_CASE("a model of another format has its bytes and no blob") {
  const FileTree tree;
  tree.write(kLibrary + "mlx/latest",
             manifest(layer("tensor", digest('a'), "100") + "," + layer("tensor", digest('b'), "50")));
  const auto found = ModelStore(tree.root()).resolve("mlx");
  REQUIRE(found);
  REQUIRE(found->has_value());
  CHECK((*found)->weights_bytes == 150);
  CHECK((*found)->blob_digest.empty());
  CHECK_FALSE((*found)->shape.has_value());
}

TEST_CASE("a damaged manifest is passed over by the list and an error when asked for by name") {
  const FileTree tree;
  plant(tiny_model(tree.root()));
  tree.write(kLibrary + "cut/latest", manifest(layer("model", digest('a'), "7")).substr(0, 60));
  tree.write(kLibrary + "list/latest", "[]");
  tree.write(kLibrary + "empty/latest", "");
  tree.write(kLibrary + "huge/latest", "{\"a\":\"" + std::string(2U << 20U, 'x') + "\"}");
  tree.write(kLibrary + "deep/latest", std::string(100'000, '['));
  tree.write("manifests/stray-file", "{}");
  ModelStore store(tree.root());
  CHECK(names(store.list()) == std::vector<std::string>{"tiny:latest"});
  for (const char* name : {"cut", "list", "empty", "huge", "deep"}) {
    const auto found = store.resolve(name);
    REQUIRE(found.has_error());
    CHECK_THAT(found.error().message, ContainsSubstring(std::string(name) + "/latest"));
  }
}

TEST_CASE("a digest that is none leads to no file") {
  const FileTree tree;
  for (const std::string& bad : {std::string("sha256:../../outside"), std::string("md5:x"),
                                 "sha256:" + std::string(64, 'G'), std::string("sha256:")}) {
    tree.write(kLibrary + "m/latest", manifest(layer("model", bad, "7")));
    CHECK_FALSE(ModelStore(tree.root()).resolve("m")->has_value());
  }
}

TEST_CASE("a PARAMETER num_ctx that is no size is absent") {
  const FileTree tree;
  const auto read = [&](const std::string& params) {
    tree.write("blobs/sha256-" + std::string(64, 'b'), params);
    tree.write(kLibrary + "m/latest",
               manifest(layer("model", digest('a'), "7") + "," + layer("params", digest('b'), "1")));
    return (*ModelStore(tree.root()).resolve("m"))->param_num_ctx;
  };
  CHECK(read(R"({"num_ctx":4096})") == 4096U);
  CHECK(read(R"({"num_ctx":8192.0,"stop":["x"]})") == 8192U);
  CHECK_FALSE(read(R"({"num_ctx":-1})").has_value());
  CHECK_FALSE(read(R"({"num_ctx":"4096"})").has_value());
  CHECK_FALSE(read(R"({"num_ctx":1e300})").has_value());
  CHECK_FALSE(read("{").has_value());
}

TEST_CASE("what is installed, changed or removed later is seen by the next call") {
  const FileTree tree;
  ModelStore store(tree.root());
  CHECK(store.list().empty());
  const PlantedModel first = plant(tiny_model(tree.root()));
  CHECK((*store.resolve("tiny"))->blob_digest == first.blob_digest);
  MadeModel other = tiny_model(tree.root());
  other.seed = 2;
  const PlantedModel second = plant(other);
  REQUIRE(second.blob_digest != first.blob_digest);
  CHECK((*store.resolve("tiny"))->blob_digest == second.blob_digest);
  std::filesystem::remove((*store.resolve("tiny"))->blob_path);
  CHECK_FALSE((*store.resolve("tiny"))->shape.has_value());
  tree.remove(kLibrary + "tiny/latest");
  CHECK(store.list().empty());
  CHECK_FALSE(store.resolve("tiny")->has_value());
}

TEST_CASE("all names that share a blob are found by it") {
  const FileTree tree;
  MadeModel derived = tiny_model(tree.root(), "b");
  const PlantedModel planted = plant(derived);
  const std::string text = manifest(layer("model", planted.blob_digest, "9"));
  tree.write(kLibrary + "a/latest", text);
  tree.write(kLibrary + "c/latest", manifest(layer("model", digest('c'), "9")));
  ModelStore store(tree.root());
  CHECK(store.names_for_blob(planted.blob_digest) == std::vector<std::string>{"a:latest", "b:latest"});
  CHECK(store.names_for_blob(digest('d')).empty());
  CHECK(store.names_for_blob("").empty());
}

TEST_CASE("several threads may ask while models come and go") {
  const FileTree tree;
  plant(tiny_model(tree.root(), "stays"));
  ModelStore store(tree.root());
  std::atomic<int> missing{0};
  std::vector<std::thread> askers;
  for (int i = 0; i < 3; ++i) {
    askers.emplace_back([&] {
      for (int n = 0; n < 100; ++n) {
        const auto found = store.resolve("stays");
        const bool whole = found && *found && (*found)->shape && !store.list().empty();
        missing += whole ? 0 : 1;
      }
    });
  }
  for (int n = 0; n < 50; ++n) {
    tree.write(kLibrary + "goes/latest", manifest(layer("model", digest('a'), std::to_string(n))));
    tree.remove(kLibrary + "goes");
  }
  for (std::thread& asker : askers) {
    asker.join();
  }
  CHECK(missing == 0);
}

TEST_CASE("the models folder is OLLAMA_MODELS as Ollama reads it, else the one in the home") {
  {
    const ModelsVariable set(" \"/data/my models\" ");
    CHECK(default_models_dir() == "/data/my models");
  }
  const ModelsVariable blank("  ");
  const char* home = std::getenv("HOME");
  CHECK(default_models_dir() == std::string(home == nullptr ? "/" : home) + "/.ollama/models");
}

TEST_CASE("the model maker refuses what would make no model and leaves nothing behind") {
  const FileTree tree;
  const auto refused = [&](auto change) {
    MadeModel model = tiny_model(tree.root());
    change(model);
    return make_model(model).has_error();
  };
  CHECK(refused([](MadeModel& m) { m.embedding = 353; }));
  CHECK(refused([](MadeModel& m) { m.heads = 7; }));
  CHECK(refused([](MadeModel& m) { m.kv_heads = 4; }));
  CHECK(refused([](MadeModel& m) { m.layers = 0; }));
  for (const char* name : {"", "a/b/c", "../x", "a:", ":b", "a b", "x/..", "a:../b"}) {
    CHECK(refused([&](MadeModel& m) { m.name = name; }));
  }
  CHECK(std::filesystem::is_empty(tree.root()));
  CHECK(refused([](MadeModel& m) { m.models_dir = "/proc/nonexistent"; }));
}

TEST_CASE("the same options make the same blob") {
  const FileTree one;
  const FileTree two;
  CHECK(plant(tiny_model(one.root())).blob_digest == plant(tiny_model(two.root())).blob_digest);
}
