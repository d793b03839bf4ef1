#include "config/reference.h"

#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "config/layers.h"
#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;

namespace {

// The text with its keys no longer commented out, up to the examples at its end.
std::string uncommented(const std::string& reference) {
  std::istringstream lines(reference.substr(0, reference.find("# More variables")));
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.starts_with("# ") ? line.substr(2, line.find(" = ") - 2) : "";
    const bool key = line.find(" = ") != std::string::npos && name.find(' ') == std::string::npos;
    out += (key ? line.substr(2) : line) + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("the reference is a configuration that changes nothing") {
  const ConfigResult read = load_layers({{"/reference.toml", reference_toml()}});
  CHECK(read.errors.empty());
  CHECK(read.settings == Settings{});
}

TEST_CASE("each key of the reference, taken out of its comment, is the default") {
  const ConfigResult read = load_layers({{"/reference.toml", uncommented(reference_toml())}});
  CHECK(read.errors.empty());
  CHECK(read.settings == Settings{});
  for (const ConfigKey& key : config_keys()) {
    INFO(key.name);
    CHECK(read.values.at(key.name).origin.starts_with("/reference.toml:"));
    CHECK(read.values.at(key.name).value == key.default_value);
  }
}

TEST_CASE("every profile that is shipped is right in each key and says for whom it is") {
  const std::vector<std::pair<std::string, std::uint64_t>> limits{
      {"laptop", 2}, {"desktop", 6}, {"workstation", 12}, {"server", 24}};
  for (const auto& [name, gibibytes] : limits) {
    INFO(name);
    const auto text = read_file(LLV_SOURCE_DIR "/configs/profiles/" + name + ".toml", 1U << 16U);
    REQUIRE(text);
    const ConfigResult read = load_layers({{"profile " + name, *text}});
    CHECK(read.errors.empty());
    CHECK(read.settings.memory.limit.bytes == gibibytes << 30U);
    CHECK(!top_level_text(*text, "description").empty());
    CHECK(std::get<std::vector<std::string>>(read.settings.plugins.at("tier_context").at("tiers")).size() >=
          2);
    for (const char* key :
         {"server.prompt_cache", "server.keep_alive", "server.num_parallel", "policy.notify"}) {
      CHECK(read.values.at(key).origin == "profile " + name);
    }
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file :
       std::filesystem::directory_iterator(LLV_SOURCE_DIR "/configs/profiles")) {
    ++files;
  }
  CHECK(files == limits.size());
}

TEST_CASE("each value of a profile has a comment that gives its reason") {
  for (const auto& file : std::filesystem::directory_iterator(LLV_SOURCE_DIR "/configs/profiles")) {
    std::istringstream lines(*read_file(file.path(), 1U << 16U));
    for (std::string line; std::getline(lines, line);) {
      INFO(file.path().string() + ": " + line);
      CHECK((line.find(" = ") == std::string::npos || line.starts_with("description") ||
             line.find(" # ") != std::string::npos));
    }
  }
}
