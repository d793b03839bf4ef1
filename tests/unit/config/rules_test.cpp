#include "config/layers.h"
#include "support/catch.h"

using namespace llamavisor;
using namespace std::chrono_literals;

namespace {

ModelRule rule(const std::string& text, const std::string& model) {
  const ConfigResult read = load_layers({{"/a", text}});
  REQUIRE(read.errors.empty());
  return rule_for(read.settings, model);
}

}  // namespace

TEST_CASE("a model without a rule has none") {
  const ModelRule none = rule("[models.b]\npin = true\n", "a:latest");
  CHECK_FALSE((none.pin || none.keep_alive || none.num_ctx || none.max_num_ctx));
}

TEST_CASE("a glob without a tag means every tag, one with a tag only those") {
  CHECK(rule("[models.\"llama3*\"]\npin = true\n", "llama3.2:1b").pin == true);
  CHECK(rule("[models.\"llama3*:1b\"]\npin = true\n", "llama3.2:1b").pin == true);
  CHECK_FALSE(rule("[models.\"llama3*:7b\"]\npin = true\n", "llama3.2:1b").pin);
  CHECK(rule("[models.\"a?[bc]\"]\npin = true\n", "axb:latest").pin == true);
  CHECK_FALSE(rule("[models.\"a?[bc]\"]\npin = true\n", "axd:latest").pin);
}

TEST_CASE("an exact name is read as Ollama reads names") {
  CHECK(rule("[models.Llama3]\npin = true\n", "llama3:latest").pin == true);
  CHECK_FALSE(rule("[models.llama3]\npin = true\n", "llama3:7b").pin);
  CHECK(rule("[models.\"hf.co/a/b:q4\"]\npin = true\n", "hf.co/a/b:q4").pin == true);
}

TEST_CASE("an exact name counts before a glob, wherever it stands") {
  const ModelRule found = rule(
      "[models.\"*\"]\nnum_ctx = 2048\nkeep_alive = \"1m\"\n[models.zeta]\nnum_ctx = 8192\n", "zeta:latest");
  CHECK(found.num_ctx == 8192U);
  CHECK(found.keep_alive == KeepAlive{1min, false});
}

TEST_CASE("of two globs the first in the file wins, whatever their names") {
  CHECK(rule("[models.\"z*\"]\nnum_ctx = 1\n[models.\"*\"]\nnum_ctx = 2\n", "zeta:latest").num_ctx == 1U);
  CHECK(rule("[models.\"*\"]\nnum_ctx = 2\n[models.\"z*\"]\nnum_ctx = 1\n", "zeta:latest").num_ctx == 2U);
  CHECK(rule("models.\"z*\".num_ctx = 1\nmodels.\"*\".num_ctx = 2\n", "zeta:latest").num_ctx == 1U);
}

TEST_CASE("a glob of a stronger layer counts before one of a weaker") {
  const ConfigResult read =
      load_layers({{"/weak", "[models.\"z*\"]\nnum_ctx = 1\nmax_num_ctx = 10\n[models.\"y*\"]\npin = true\n"},
                   {"/strong", "[models.\"*\"]\nnum_ctx = 2\n[models.\"y*\"]\npin = false\n"}});
  const ModelRule zeta = rule_for(read.settings, "zeta:latest");
  CHECK(zeta.num_ctx == 2U);
  CHECK(zeta.max_num_ctx == 10U);
  CHECK(rule_for(read.settings, "ypsilon:latest").pin == false);
}
