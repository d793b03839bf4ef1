#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "cli_rig.h"

using namespace llamavisor;
namespace json = boost::json;
using llamavisor::testing::CliRig;

namespace {

// doctor's check of that name, with `script` as the Ollama program.
json::object check(CliRig& rig, const std::string& script, const std::string& name) {
  rig.tree.write("ollama", "#!/bin/sh\n" + script + "\n");
  std::filesystem::permissions(rig.tree.root() + "/ollama", std::filesystem::perms::owner_all);
  rig.tree.write("c.toml", "[server]\nollama = \"" + rig.tree.root() + "/ollama\"\n");
  const auto done = CliRig::run({"doctor", "--json", "--config", rig.tree.root() + "/c.toml"});
  INFO(done.err);
  const json::value parsed = json::parse(done.out);
  for (const json::value& entry : parsed.at("checks").as_array()) {
    if (entry.at("name").as_string() == name.c_str()) {
      return entry.as_object();
    }
  }
  return {};
}

std::string text(const json::object& object, const char* key) {
  return std::string(object.at(key).as_string());
}

}  // namespace

TEST_CASE("doctor names the version of the Ollama that it found") {
  CliRig rig;
  const json::object fine = check(rig, "echo 'Warning: client version is 0.24.0'", "ollama");
  CHECK(fine.at("ok") == true);
  CHECK_THAT(text(fine, "detail"), ContainsSubstring("/ollama, version 0.24.0"));
}

TEST_CASE("doctor warns of an Ollama below 0.12 and names the mend") {
  CliRig rig;
  const json::object old = check(rig, "echo 'ollama version is 0.11.11'", "ollama");
  CHECK(old.at("ok") == false);
  CHECK_THAT(text(old, "detail"), ContainsSubstring("0.11.11"));
  CHECK_THAT(text(old, "mend"), ContainsSubstring("0.12"));
}

TEST_CASE("doctor says when the program is no Ollama") {
  CliRig rig;
  const json::object other = check(rig, "echo hello", "ollama");
  CHECK(other.at("ok") == false);
  CHECK_THAT(text(other, "detail"), ContainsSubstring("names no version"));
}

TEST_CASE("doctor warns of a quantised cache with flash attention off, by the version that it found") {
  CliRig rig;
  rig.environment.set("OLLAMA_FLASH_ATTENTION", "0");
  const auto plain = check(rig, "echo 'ollama version is 0.32.5'", "KV cache");
  CHECK(plain.at("ok") == true);
  rig.environment.set("OLLAMA_KV_CACHE_TYPE", "q8_0");
  const auto fails = check(rig, "echo 'ollama version is 0.32.5'", "KV cache");
  CHECK(fails.at("ok") == false);
  CHECK_THAT(text(fails, "detail"), ContainsSubstring("cannot load any model"));
  CHECK_THAT(text(check(rig, "echo 'ollama version is 0.24.0'", "KV cache"), "detail"),
             ContainsSubstring("does nothing"));
  rig.environment.set("OLLAMA_FLASH_ATTENTION", "1");
  CHECK(check(rig, "echo 'ollama version is 0.32.5'", "KV cache").at("ok") == true);
}
