#include "store/overrides.h"

#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/file.h"
#include "config/layers.h"
#include "support/catch.h"
#include "support/file_tree.h"
#include "support/results.h"

using namespace llamavisor;
namespace fs = std::filesystem;
using llamavisor::testing::FileTree;

namespace {

struct Place {
  FileTree tree;
  std::string path = tree.root() + "/state/overrides.toml";
  std::string warning;

  std::string read() { return read_overrides(path, warning); }
  std::string kept_aside() const {
    const auto text = read_file(path + ".broken", 3U << 20U);
    return text ? *text : "";
  }
};

Settings settings_in(const std::string& text) {
  const ConfigResult read = load_layers({{"/o", text}});
  REQUIRE(read.errors.empty());
  return read.settings;
}

}  // namespace

TEST_CASE("without a file there are no overrides and no warning") {
  Place place;
  CHECK(place.read().empty());
  CHECK(place.warning.empty());
}

TEST_CASE("changes are saved for the owner alone and read back") {
  Place place;
  REQUIRE(change_overrides(place.path, {{"memory.limit", "\"6GB\""}, {"models.\"a:7b\".pin", "true"}}));
  struct stat info {};
  REQUIRE(stat(place.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0600);
  const std::string text = place.read();
  CHECK(text.starts_with("# Written by llamavisor"));
  const Settings settings = settings_in(text);
  CHECK(settings.memory.limit.bytes == 6ULL << 30U);
  CHECK(rule_for(settings, "a:7b").pin == true);
  CHECK(std::distance(fs::directory_iterator(place.tree.root() + "/state"), fs::directory_iterator()) == 1);
}

TEST_CASE("an empty value takes the key out, and one that is not there is no mistake") {
  Place place;
  REQUIRE(change_overrides(place.path, {{"memory.limit", "\"6GB\""}, {"profile", "\"laptop\""}}));
  REQUIRE(change_overrides(place.path, {{"profile", "\"server\""}, {"memory.limit", ""}}));
  REQUIRE(change_overrides(place.path, {{"memory.limit", ""}}));
  const std::string text = place.read();
  CHECK(top_level_text(text, "profile") == "server");
  CHECK(text.find("limit =") == std::string::npos);
}

TEST_CASE("a person's comments in the overrides stay") {
  Place place;
  place.tree.write("state/overrides.toml", "# mine\n[memory]\nlimit = \"1GB\" # why\n");
  REQUIRE(change_overrides(place.path, {{"memory.limit", "\"2GB\""}}));
  CHECK(place.read() == "# mine\n[memory]\nlimit = \"2GB\" # why\n");
}

TEST_CASE("of several changes all are done or none") {
  Place place;
  place.tree.write("state/overrides.toml", "[memory]\nlimit = \"1GB\"\n");
  const auto done = change_overrides(place.path, {{"memory.limit", "\"2GB\""}, {"memory.limti", "\"3GB\""}});
  REQUIRE(done.has_error());
  CHECK_THAT(done.error().message, ContainsSubstring("did you mean memory.limit?"));
  CHECK(place.read() == "[memory]\nlimit = \"1GB\"\n");
}

TEST_CASE("broken overrides are kept aside, said, and started anew") {
  for (const std::string& broken : {std::string("[memory\n"), std::string("[memory]\nlimti = 1\n"),
                                    std::string("\0\xff\x01", 3), std::string("[memory]\nlimit = 5\n"),
                                    "# " + std::string(2U << 20U, 'x'), std::string(200'000, '[')}) {
    Place place;
    place.tree.write("state/overrides.toml", broken);
    CHECK(place.read().empty());
    CHECK_THAT(place.warning, ContainsSubstring("kept aside as " + place.path + ".broken: "));
    CHECK(place.warning.size() < 1000);
    CHECK(place.kept_aside() == broken);
    CHECK_FALSE(fs::exists(place.path));
    REQUIRE(change_overrides(place.path, {{"memory.limit", "\"2GB\""}}));
    place.warning.clear();
    CHECK(settings_in(place.read()).memory.limit.bytes == 2ULL << 30U);
    CHECK(place.warning.empty());
    CHECK(place.kept_aside() == broken);
  }
}

TEST_CASE("broken overrides that cannot be moved are said to be where they are") {
  Place place;
  place.tree.write("state/overrides.toml", "[");
  place.tree.write("state/overrides.toml.broken/f", "a folder is in the way");
  CHECK(place.read().empty());
  CHECK_THAT(place.warning, ContainsSubstring("are not used"));
  CHECK(fs::exists(place.path));
}

TEST_CASE("a folder in the place of the file is an error that names it") {
  Place place;
  fs::create_directories(place.path + "/x");
  CHECK(place.read().empty());
  CHECK_THAT(place.warning, ContainsSubstring(place.path));
}

TEST_CASE("with several writers at once the file is always one that was written whole") {
  Place place;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 1; i <= 10; ++i) {
        std::ignore =
            change_overrides(place.path, {{"memory.limit", "\"" + std::to_string(writer * 10 + i) + "GB\""},
                                          {"models.\"m" + std::to_string(writer) + "\".pin", "true"}});
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    settings_in(place.read());
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  CHECK(place.warning.empty());
  CHECK(settings_in(place.read()).memory.limit.bytes % (1ULL << 30U) == 0);
  CHECK(std::distance(fs::directory_iterator(place.tree.root() + "/state"), fs::directory_iterator()) == 1);
}
