#include <boost/json/parse.hpp>
#include <fstream>

#include "cli_rig.h"
#include "support/models.h"

using namespace llamavisor;
namespace json = boost::json;
using llamavisor::testing::Captured;
using llamavisor::testing::CliRig;
using Words = std::vector<std::string>;

namespace {

json::object told(Words words) {
  words.insert(words.begin(), "estimate");
  words.emplace_back("--json");
  const Captured done = CliRig::run(words);
  INFO(done.err);
  REQUIRE(done.code == 0);
  return json::parse(done.out).as_object();
}

}  // namespace

TEST_CASE("estimate tells a model, its file and its manifest alike without a supervisor") {
  CliRig rig;
  const std::string dir = rig.tree.root() + "/models";
  rig.environment.set("OLLAMA_MODELS", dir);
  MadeModel made = llamavisor::testing::tiny_model(dir);
  made.name = "tiny";
  const PlantedModel planted = llamavisor::testing::plant(made);
  json::object by_name = told({"tiny", "--num-ctx", "4096"});
  CHECK(by_name.at("weights_bytes").as_int64() == static_cast<std::int64_t>(planted.blob_bytes));
  CHECK(by_name.at("kv_bytes").as_int64() == static_cast<std::int64_t>(planted.kv_bytes_per_token * 4096));
  CHECK(by_name.at("fits").as_bool());
  CHECK(by_name.at("largest_num_ctx").as_int64() > 4096);
  json::object by_file = told({dir + "/blobs/sha256-" + planted.blob_digest.substr(7), "--num-ctx", "4096"});
  json::object by_manifest =
      told({dir + "/manifests/registry.ollama.ai/library/tiny/latest", "--num-ctx", "4096"});
  for (json::object* one : {&by_name, &by_file, &by_manifest}) {
    one->erase("model");
  }
  CHECK(by_file == by_name);
  CHECK(by_manifest == by_name);
  const json::object wide = told({"tiny", "--num-ctx", "4096", "--kv", "q8_0", "--parallel", "2"});
  CHECK(wide.at("kv_bytes").as_int64() ==
        static_cast<std::int64_t>(planted.kv_bytes_per_token * 4096 * 2 * 34 / 64));
  const Captured plain = CliRig::run({"estimate", "tiny"});
  CHECK_THAT(plain.out, ContainsSubstring("It fits the budget") && ContainsSubstring("largest num_ctx"));
  CHECK_THAT(plain.out, !ContainsSubstring("layers x heads"));
  CHECK_THAT(CliRig::run({"estimate", "tiny", "--explain"}).out, ContainsSubstring("layers x heads"));
}

TEST_CASE("estimate says what is wrong") {
  const CliRig rig;
  const std::string junk = rig.tree.root() + "/junk";
  std::ofstream(junk) << "no model";
  CHECK(CliRig::run({"estimate"}).code == 2);
  CHECK(CliRig::run({"estimate", "x", "--kv", "q3"}).code == 2);
  CHECK(CliRig::run({"estimate", "x", "--num-ctx", "0"}).code == 2);
  CHECK(CliRig::run({"estimate", "nobody"}).code == 1);
  CHECK_THAT(CliRig::run({"estimate", "nobody"}).err, ContainsSubstring("there is no model nobody"));
  CHECK(CliRig::run({"estimate", junk}).code == 1);
  CHECK_THAT(CliRig::run({"estimate", junk}).err, ContainsSubstring("not a GGUF file"));
}
