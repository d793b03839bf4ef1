#include "store/quarantine.h"

#include <filesystem>

#include "base/file.h"
#include "support/results.h"
#include "support/temp_dir.h"

using namespace llamavisor;

TEST_CASE("the quarantine is kept over a restart until it is lifted") {
  const testing::TempDir dir;
  const std::string path = dir.file("state/quarantine.json");
  std::string warning;
  Quarantine first = Quarantine::read(path, warning);
  CHECK(first.entries().empty());
  REQUIRE(first.add("bad", {"it \"crashed\"\n", 17}));
  REQUIRE(first.add("worse", {"twice", 18}));
  Quarantine second = Quarantine::read(path, warning);
  REQUIRE(second.entries().size() == 2);
  CHECK(second.entries().at("bad").reason == "it \"crashed\"\n");
  CHECK(second.entries().at("bad").since_unix_ms == 17);
  REQUIRE(second.lift("bad"));
  const Quarantine third = Quarantine::read(path, warning);
  CHECK(third.entries().size() == 1);
  CHECK(third.entries().contains("worse"));
  CHECK(warning.empty());
}

TEST_CASE("a broken quarantine is kept aside and said") {
  const testing::TempDir dir;
  for (const std::string text : {"", "{", "[]", R"({"a": 1})", R"({"a": {"reason": 1, "since_unix_ms": 1}})",
                                 R"({"a": {"reason": "r"}})"}) {
    CAPTURE(text);
    const std::string path = dir.file("quarantine.json");
    REQUIRE(write_file_atomically(path, text));
    std::string warning;
    CHECK(Quarantine::read(path, warning).entries().empty());
    CHECK_THAT(warning, ContainsSubstring("kept aside as " + path + ".broken"));
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(std::filesystem::exists(path + ".broken"));
  }
}

TEST_CASE("a quarantine that cannot be written holds for this process, and is not lifted") {
  const testing::TempDir dir;
  REQUIRE(write_file_atomically(dir.file("file"), ""));
  std::string warning;
  Quarantine quarantine = Quarantine::read(dir.file("file/quarantine.json"), warning);
  CHECK_FALSE(quarantine.add("bad", {"r", 1}));
  CHECK(quarantine.entries().contains("bad"));
  CHECK_FALSE(quarantine.lift("bad"));
  CHECK(quarantine.entries().contains("bad"));
}
