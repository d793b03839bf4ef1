#include "app/loaded_config.h"

#include "memory/proc_reader.h"
#include "support/catch.h"
#include "support/environment.h"
#include "support/file_tree.h"
#include "support/results.h"

using namespace llamavisor;
using llamavisor::testing::FileTree;
using llamavisor::testing::ScopedEnvironment;

namespace {

constexpr std::uint64_t kGiB = 1ULL << 30U;

// A home of its own and a file for --config, so that the machine's own files do not count.
struct Rig {
  FileTree tree;
  ScopedEnvironment environment;
  ServeOptions options;

  Rig() {
    for (const char* name : {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "LLAMAVISOR_MEMORY_LIMIT",
                             "LLAMAVISOR_PROFILE", "LLAMAVISOR_SERVER_NUM_PARALLEL",
                             "LLAMAVISOR_POLICY_NOTIFY", "OLLAMA_NUM_PARALLEL", "OLLAMA_HOST"}) {
      environment.set(name, std::nullopt);
    }
    environment.set("HOME", tree.root());
    options.config_file = tree.root() + "/c.toml";
    tree.write("c.toml", "profile = \"laptop\"\n");
  }
  LoadedConfig load() const {
    auto loaded = LoadedConfig::load(options);
    REQUIRE(loaded);
    return std::move(*loaded);
  }
  std::string limit_origin() const { return load().result.values.at("memory.limit").origin; }
};

}  // namespace

TEST_CASE("each layer beats the one before: profile, file, overrides, environment, flag") {
  Rig rig;
  CHECK(rig.limit_origin() == "profile laptop");
  CHECK(rig.load().limit_bytes() == 2 * kGiB);
  rig.tree.write("c.toml", "profile = \"laptop\"\nmemory.limit = \"3GB\"\n");
  CHECK(rig.limit_origin() == rig.tree.root() + "/c.toml:2");
  rig.tree.write(".local/state/llamavisor/overrides.toml", "[memory]\nlimit = \"4GB\"\n");
  CHECK(rig.limit_origin() == rig.tree.root() + "/.local/state/llamavisor/overrides.toml:2");
  rig.environment.set("LLAMAVISOR_MEMORY_LIMIT", "5GB");
  CHECK(rig.limit_origin() == "environment");
  rig.options.limit = "6GB";
  CHECK(rig.limit_origin() == "flag");
  CHECK(rig.load().limit_bytes() == 6 * kGiB);
  CHECK(rig.load().limit_text() == "6GB");
}

TEST_CASE(
    "the profile's name comes from the flag, the environment, the overrides or the file, in that order") {
  Rig rig;
  CHECK(rig.load().settings.profile == "laptop");
  rig.tree.write(".local/state/llamavisor/overrides.toml", "profile = \"desktop\"\n");
  CHECK(rig.load().settings.profile == "desktop");
  rig.environment.set("LLAMAVISOR_PROFILE", "workstation");
  CHECK(rig.load().settings.profile == "workstation");
  rig.options.profile = "server";
  CHECK(rig.load().settings.profile == "server");
  rig.options.profile = "auto";
  CHECK(rig.load().settings.profile == pick_profile(machine_memory_bytes()));
  rig.options.profile = "lapto";
  CHECK_THAT(LoadedConfig::load(rig.options).error().text(),
             ContainsSubstring("choose one of desktop, laptop, server, workstation, or auto"));
}

TEST_CASE("numbers, flags and lists can be given in the environment") {
  Rig rig;
  rig.environment.set("LLAMAVISOR_SERVER_NUM_PARALLEL", "7");
  rig.environment.set("LLAMAVISOR_POLICY_NOTIFY", "[\"command\"]");
  CHECK(rig.load().settings.server.num_parallel == 7);
  CHECK(rig.load().settings.policy.notify == std::vector<std::string>{"command"});
  rig.environment.set("LLAMAVISOR_SERVER_NUM_PARALLEL", "many");
  CHECK(LoadedConfig::load(rig.options).has_error());
}

TEST_CASE("a file that was named must be there and be a file") {
  Rig rig;
  rig.options.config_file = rig.tree.root() + "/none.toml";
  CHECK_THAT(LoadedConfig::load(rig.options).error().message, ContainsSubstring("none.toml"));
  rig.options.config_file = rig.tree.root();
  CHECK(LoadedConfig::load(rig.options).has_error());
}

TEST_CASE("all mistakes of a file are in the error, a line each") {
  Rig rig;
  rig.tree.write("c.toml", "[memory]\nlimti = 1\nmin_available = 2\n");
  const std::string words = LoadedConfig::load(rig.options).error().message;
  CHECK_THAT(words, ContainsSubstring("c.toml:2:9: memory.limti"));
  CHECK_THAT(words, ContainsSubstring("\n" + rig.tree.root() + "/c.toml:3:17: memory.min_available"));
}

TEST_CASE("broken overrides are a warning and the rest stands") {
  Rig rig;
  rig.tree.write(".local/state/llamavisor/overrides.toml", "[");
  const LoadedConfig loaded = rig.load();
  REQUIRE(loaded.warnings.size() == 1);
  CHECK_THAT(loaded.warnings.front(), ContainsSubstring("overrides.toml.broken"));
  CHECK(loaded.settings.profile == "laptop");
}

TEST_CASE("the automatic profile goes by the memory that there is") {
  CHECK(pick_profile(0) == "laptop");
  CHECK(pick_profile(12 * kGiB - 1) == "laptop");
  CHECK(pick_profile(12 * kGiB) == "desktop");
  CHECK(pick_profile(24 * kGiB) == "workstation");
  CHECK(pick_profile(48 * kGiB) == "server");
  for (const ProfileInfo& profile : list_profiles()) {
    INFO(profile.name);
    CHECK(parse_limit(profile.limit)->bytes > 0);
    CHECK(!profile.description.empty());
  }
  CHECK(list_profiles().size() == 4);
}

TEST_CASE("the machine's memory is the smaller of what it has and what its group may use") {
  const ProcReader proc;
  const auto group = proc.cgroup_memory();
  const auto total = *proc.meminfo().total_bytes;
  const bool limited = group && group->limit_bytes && *group->limit_bytes < total;
  CHECK(machine_memory_bytes() == (limited ? *group->limit_bytes : total));
}
