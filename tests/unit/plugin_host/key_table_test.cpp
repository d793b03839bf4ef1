// A plugin's own key table is judged when it is loaded: what is wrong in it is the author's to mend.
#include "plugin_host/plugin_config.h"
#include "support/results.h"

using namespace llamavisor;

namespace {

PluginKey key(const std::string& name, std::int32_t type, const std::string& default_value) {
  PluginKey out;
  out.name = name;
  out.type = type;
  out.has_default = true;
  out.default_value = default_value;
  return out;
}

std::string verdict(const std::vector<PluginKey>& keys) {
  PluginInfo plugin;
  plugin.id = "p";
  plugin.keys = keys;
  const auto fine = PluginConfig::check_keys(plugin);
  return fine ? "" : fine.error().text();
}

}  // namespace

TEST_CASE("a key table with a default of each type is sound") {
  PluginKey none = key("none", LLV_KEY_STR, "");
  none.has_default = false;
  CHECK(verdict({key("i", LLV_KEY_I64, "-3"), key("f", LLV_KEY_F64, "0.5"), key("whole", LLV_KEY_F64, "2"),
                 key("s", LLV_KEY_STR, "a \"word\""), key("b", LLV_KEY_BOOL, "true"),
                 key("d", LLV_KEY_DURATION, "1m30s"), key("size", LLV_KEY_BYTES, "6GB"),
                 key("l", LLV_KEY_STR_LIST, R"(["a,]", 'b', ""])"), none})
            .empty());
}

TEST_CASE("a default that does not fit its type or range is named") {
  CHECK(verdict({key("i", LLV_KEY_I64, "3x")}) == "the default of key: i: its default is not a value: 3x");
  CHECK(verdict({key("i", LLV_KEY_I64, "0.5")}) == "the default of key: i: expected a whole number");
  CHECK(verdict({key("b", LLV_KEY_BOOL, "1")}) == "the default of key: b: expected true or false");
  CHECK_THAT(verdict({key("d", LLV_KEY_DURATION, "soon")}), ContainsSubstring("d: expected a duration"));
  CHECK_THAT(verdict({key("l", LLV_KEY_STR_LIST, "[\"a\"")}),
             ContainsSubstring("l: its default is not a value"));
  CHECK_THAT(verdict({key("l", LLV_KEY_STR_LIST, "[1]")}),
             ContainsSubstring("l: its default is not a value"));
  PluginKey ranged = key("r", LLV_KEY_I64, "9");
  ranged.min = 1;
  ranged.max = 8;
  CHECK_THAT(verdict({ranged}), ContainsSubstring("r: out of range"));
}

TEST_CASE("names and types of keys are those that a configuration can have") {
  for (const char* name : {"", "Upper", "9lives", "with-dash", "_x"}) {
    CHECK_THAT(verdict({key(name, LLV_KEY_STR, "")}), ContainsSubstring("is not the name of a key"));
  }
  CHECK(verdict({key("k", LLV_KEY_STR, ""), key("k", LLV_KEY_STR, "")}) == "two keys are named k");
  CHECK_THAT(verdict({key("k", 8, "")}), ContainsSubstring("type 8, which this llamavisor does not know"));
}
