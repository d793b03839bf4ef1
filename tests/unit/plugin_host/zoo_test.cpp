// The zoo of bad plugins (tests/bad_plugins): what a user is told of each, in this process and isolated.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "plugin_host/describe.h"
#include "policy/engine.h"
#include "unit/plugin_host/host_rig.h"

using namespace llamavisor;
using testing::Values;

namespace {

namespace fs = std::filesystem;
const std::string kZoo = LLV_PLUGIN_DIR "/../bad_plugins";

struct Expected {
  std::string file;
  std::string told;
};

// The file alone in a folder, so that nothing else is told.
class Cage : public testing::HostRig {
 public:
  explicit Cage(const std::string& name, std::map<std::string, Values> plugins = {})
      : HostRig({folder_of(name)}, std::move(plugins)), folder_(folder_of(name)) {}
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name + ".so"; }

 private:
  static std::string folder_of(const std::string& name) {
    static testing::TempDir folders;
    const fs::path out = folders.path() / name;
    if (fs::create_directories(out)) {
      fs::copy_file(kZoo + "/" + name + ".so", out / (name + ".so"));
    }
    return out.string();
  }

  std::string folder_;
};

std::string told_at_load(const std::string& name) {
  Cage cage(name);
  const auto policy = cage.eviction(name);
  return policy ? "it was put in charge" : policy.error().text();
}

// What the engine reports when the plugin is in charge and asked for a victim; the answer is checked too.
std::string told_in_charge(const std::string& name, std::map<std::string, Values> plugins = {}) {
  Cage cage(name, std::move(plugins));
  std::string reports;
  PolicyEngine engine([&](const std::string& report) { reports += report + "\n"; });
  auto policy = cage.eviction(name);
  if (!policy) {
    return "not in charge: " + policy.error().text();
  }
  engine.use(std::move(*policy));
  Snapshot machine = cage.machine();
  machine.models.front().pinned = true;
  const auto victims = cage.wait<std::vector<RankedVictim>>(
      [&](auto done) { engine.rank(machine, 50, [done](auto ranked) { done(std::move(ranked)); }); });
  REQUIRE(victims);
  REQUIRE(victims->size() ==
          1);  // whatever the plugin does, memory can be made: the other model is not pinned
  CHECK(victims->front().model_index == 1);
  engine.use(std::shared_ptr<EvictionPolicy>());
  return reports;
}

std::map<std::string, Values> isolate(const std::string& name) {
  return {{name, {{"isolate", true}}}};
}

// A copy of a good plugin's bytes that `spoil` may change.
std::string spoiled(const std::string& path, const std::function<void(std::string&)>& spoil) {
  std::ifstream in(kZoo + "/overruns.so", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  spoil(bytes);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string told_of_file(const std::string& path) {
  const auto plugins = describe_library(path);
  return plugins ? "it can be used" : plugins.error().text();
}

}  // namespace

TEST_CASE("each plugin that cannot be loaded is told apart", "[zoo]") {
  const std::vector<Expected> zoo{
      {"no_symbol", "not a llamavisor plugin of ABI 1: it does not export llv_plugin_entry_v1"},
      {"wrong_magic", "the entry has a wrong magic number (build it anew with llamavisor's SDK)"},
      {"other_major", "built for ABI 2, this is ABI 1"},
      {"newer_minor", "needs ABI 1.200, this llamavisor has 1."},
      {"short_entry", "the entry is too short"},
      {"short_struct", "a plugin table is missing or too short"},
      {"null_callback", "a required callback (create, destroy or get_role) is null"},
      {"duplicate_id", "two plugins have the id duplicate_id"},
      {"bad_id", "\"../etc/passwd\" is not a plugin id"},
      {"no_role", "no_role plays no role that this host knows"},
      {"bad_key", "the default of key: grace: expected a duration such as \"30s\""},
      {"null_rank", "the eviction table of null_rank is too short or its callback is null"},
      {"crashes_on_load", "its code was run to load it, and the process was ended by signal 6 (Aborted)"},
  };
  for (const Expected& expected : zoo) {
    CAPTURE(expected.file);
    const std::string told = told_at_load(expected.file);
    CHECK_THAT(told, ContainsSubstring(expected.told));
    CHECK_THAT(told, ContainsSubstring("/" + expected.file + ".so"));
  }
}

TEST_CASE("each plugin that loads but is not fit for its role is told apart", "[zoo]") {
  CHECK(told_at_load("create_fails") == "create_fails could not start: the stars are not right");
}

TEST_CASE("a file that is no plugin of this machine, or not safe to load, is told apart", "[zoo]") {
  testing::HostRig rig({}, {});
  const std::string path = rig.file("spoiled.so");
  const auto nothing = [](std::string&) {};
  CHECK(told_of_file(spoiled(rig.file("good.so"), nothing)) == "it can be used");
  spoiled(path, nothing);
  fs::permissions(path, fs::perms(0666));
  CHECK(told_of_file(path) == path + ": writable by others (chmod go-w " + path + ")");

  constexpr std::size_t kMachine = 18;  // of the ELF header
  const auto other_machine = [](std::string& bytes) { bytes[kMachine] = '\x16'; };
  CHECK_THAT(told_of_file(spoiled(rig.file("machine.so"), other_machine)),
             ContainsSubstring("cannot be loaded"));
  const auto halved = [](std::string& bytes) { bytes.resize(bytes.size() / 2); };
  CHECK_THAT(told_of_file(spoiled(rig.file("half.so"), halved)),
             ContainsSubstring("not a shared library of this machine"));
  const auto text = [](std::string& bytes) { bytes = "not a library\n"; };
  CHECK_THAT(told_of_file(spoiled(rig.file("text.so"), text)),
             ContainsSubstring("not a shared library of this machine"));
  const auto empty = [](std::string& bytes) { bytes.clear(); };
  CHECK_THAT(told_of_file(spoiled(rig.file("empty.so"), empty)),
             ContainsSubstring("not a shared library of this machine"));
  CHECK_THAT(told_of_file(rig.file("none.so")), ContainsSubstring("No such file or directory"));
}

TEST_CASE("a file whose headers are damaged at random is refused or loads, and never harms us", "[zoo]") {
  testing::HostRig rig({}, {});
  std::uint32_t state = 7;
  const auto random = [&] { return state = state * 1664525U + 1013904223U; };
  unsigned refused = 0;
  for (int i = 0; i < 60; ++i) {
    const auto damage = [&](std::string& bytes) {
      for (int n = 0; n < 8; ++n) {
        bytes[random() % 1024] = static_cast<char>(random() >> 24U);
      }
    };
    refused += describe_library(spoiled(rig.file(std::to_string(i) + ".so"), damage)) ? 0U : 1U;
  }
  CHECK(refused > 0);
}

TEST_CASE("a bad answer is overruled, in this process and isolated", "[zoo]") {
  const std::vector<Expected> zoo{
      {"bad_index", "was overruled: the policy ranked index 4000000000 of 2 models"},
      {"nan_score", "was overruled: the policy ranked small with a score that is not a number"},
      {"spared_models", "was overruled: the policy ranked small, which is pinned"},
      {"same_model_twice", "was overruled: the policy ranked large twice"},
      {"long_text", "failed, the built-in lru decides: long_text answered -1: ?xxx"},
      {"throws", "failed, the built-in lru decides: throws answered -1: not my day"},
      {"leaks_exception", "threw through the C interface: out through the C interface"},
  };
  for (const Expected& expected : zoo) {
    CAPTURE(expected.file);
    CHECK_THAT(told_in_charge(expected.file), ContainsSubstring(expected.told));
    CHECK_THAT(told_in_charge(expected.file, isolate(expected.file)), ContainsSubstring(expected.told));
  }
}

TEST_CASE("texts of any length are cut, in this process and isolated", "[zoo]") {
  for (const auto& plugins : {std::map<std::string, Values>{}, isolate("long_reason")}) {
    Cage cage("long_reason", plugins);
    const auto policy = cage.eviction("long_reason");
    REQUIRE(policy);
    const auto ranked = cage.rank(**policy, cage.machine(), 50);
    REQUIRE(ranked);
    CHECK(ranked->front().reason == std::string(500, ' '));
  }
  for (const auto& plugins : {std::map<std::string, Values>{}, isolate("long_state")}) {
    Cage cage("long_state", plugins);
    const auto first = cage.eviction("long_state");
    REQUIRE(first);
    CHECK(cage.eviction("long_state"));  // its successor is made all the same
  }
}

TEST_CASE("an overrun is a strike, three in a row switch the plugin off, and the built-in order serves",
          "[zoo]") {
  Cage cage("overruns");
  cage.set_deadline(std::chrono::milliseconds(400));
  const auto policy = cage.eviction("overruns");
  REQUIRE(policy);
  for (int i = 0; i < 3; ++i) {
    CHECK(cage.rank(**policy, cage.machine(), 50).error().text() == "overruns did not answer within 400 ms");
  }
  CHECK_THAT(cage.rank(**policy, cage.machine(), 50).error().text(),
             ContainsSubstring("is switched off: it overran its deadline 3 times"));
}

TEST_CASE("a call that never returns is left behind, and its successor serves", "[zoo]") {
  Cage cage("hangs");
  cage.set_deadline(std::chrono::milliseconds(400));
  auto policy = cage.eviction("hangs");
  REQUIRE(policy);
  CHECK(cage.rank(**policy, cage.machine(), 50).error().text() == "hangs did not answer within 400 ms");
  CHECK(cage.eviction("hangs"));
}

TEST_CASE("what would take llamavisor down is survived when it is isolated", "[zoo]") {
  const std::vector<Expected> zoo {
    {"crashes", "crashes answered -1: its helper process was ended by signal 11 (Segmentation fault)"},
        {"aborts", "aborts answered -1: its helper process was ended by signal 6 (Aborted)"},
        {"exits", "exits answered -1: its helper process ended itself with code 3"},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they take memory beyond any bound
        {"allocates",
         "allocates answered -1: its helper process was ended by signal 11 (Segmentation fault)"},
#endif
        {"forges", "forges answered -1: its helper process does not keep to the protocol and was ended"},
        {"reaches_out", "reaches_out answered -1: file no, network no, child no"},
  };
  for (const Expected& expected : zoo) {
    CAPTURE(expected.file);
    CHECK_THAT(told_in_charge(expected.file, isolate(expected.file)), ContainsSubstring(expected.told));
  }
}

TEST_CASE("a forged answer beside the true one is found out, at once or with the next question", "[zoo]") {
  Cage cage("speaks_unasked", isolate("speaks_unasked"));
  const auto policy = cage.eviction("speaks_unasked");
  REQUIRE(policy);
  std::string told;
  for (int i = 0; i < 2; ++i) {
    const auto ranked = cage.rank(**policy, cage.machine(), 50);
    told += ranked ? "" : ranked.error().text() + "\n";
  }
  const bool at_once = told.find("does not keep to the protocol and was ended") != std::string::npos;
  const bool next = told.find("answered what it was not asked and was ended") != std::string::npos;
  CAPTURE(told);
  CHECK((at_once || next));
}

TEST_CASE("an isolated call that never returns ends its process, which starts anew after a while", "[zoo]") {
  Cage cage("hangs", isolate("hangs"));
  cage.set_deadline(std::chrono::seconds(1));
  const auto policy = cage.eviction("hangs");
  REQUIRE(policy);
  CHECK_THAT(cage.rank(**policy, cage.machine(), 50).error().text(), ContainsSubstring("did not answer"));
  CHECK_THAT(cage.rank(**policy, cage.machine(), 50).error().text(),
             ContainsSubstring("its helper process has failed 1 times in a row and is started again later"));
  cage.clock().advance(std::chrono::seconds(60));
  Snapshot gentle = cage.machine();
  gentle.models.resize(1);
  gentle.models.front().name = "self-test:latest";
  CHECK(cage.rank(**policy, gentle, 50));  // a new process
}
