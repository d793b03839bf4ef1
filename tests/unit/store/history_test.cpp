#include "store/history.h"

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "support/catch.h"
#include "support/results.h"
#include "support/temp_dir.h"

using namespace llamavisor;
using namespace std::chrono_literals;

namespace {

const WallTime kNow = WallTime{} + std::chrono::hours(500'000);

HistoryRequest request(WallTime at, const std::string& model = "a:latest") {
  return {at, model, 1500ms, 12U, std::nullopt};
}
Result<HistoryDb> open(const std::string& path, std::vector<std::string>* aside = nullptr) {
  return HistoryDb::open(path, [aside](const std::string& to) {
    REQUIRE(aside != nullptr);
    aside->push_back(to);
  });
}

}  // namespace

TEST_CASE("the history gives back what was put into it, after it was closed and opened again") {
  const testing::TempDir dir;
  const std::string path = dir.file("state/history.db");
  {
    auto db = open(path);
    REQUIRE(db);
    REQUIRE(db->add({request(kNow), HistoryLoad{kNow, "a:latest", "sha256:1", 7ULL << 30U, 4321ms},
                     HistoryEviction{kNow + 1s, "b:latest"}}));
  }
  auto db = open(path);
  REQUIRE(db);
  const auto requests = db->requests(kNow);
  REQUIRE(requests);
  REQUIRE(requests->size() == 1);
  CHECK((*requests)[0].at == kNow);
  CHECK((*requests)[0].service == 1500ms);
  CHECK((*requests)[0].prompt_tokens == 12U);
  CHECK_FALSE((*requests)[0].answer_tokens);
  const auto loads = db->loads(kNow);
  REQUIRE(loads);
  REQUIRE(loads->size() == 1);
  CHECK((*loads)[0].blob == "sha256:1");
  CHECK((*loads)[0].bytes == 7ULL << 30U);
  CHECK((*loads)[0].time == 4321ms);
  const auto evictions = db->evictions(kNow);
  REQUIRE(evictions);
  REQUIRE(evictions->size() == 1);
  CHECK((*evictions)[0].model == "b:latest");
  CHECK(db->requests(kNow + 1ms)->empty());
}

TEST_CASE("only the owner may read the history") {
  const testing::TempDir dir;
  REQUIRE(open(dir.file("history.db")));
  const auto mode = std::filesystem::status(dir.file("history.db")).permissions();
  CHECK((mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
        std::filesystem::perms::none);
}

TEST_CASE("pruning removes what is too old") {
  const testing::TempDir dir;
  auto db = open(dir.file("history.db"));
  REQUIRE(db);
  REQUIRE(db->add({request(kNow - 3h), request(kNow - 1h), HistoryEviction{kNow - 3h, "a:latest"}}));
  CHECK(db->prune({0ms, 0}, kNow).value() == 0);
  CHECK(db->prune({2h, 0}, kNow).value() == 2);
  CHECK(db->requests(WallTime{})->size() == 1);
}

TEST_CASE("pruning removes the oldest until the file is small enough, and gives the disk its space back") {
  const testing::TempDir dir;
  const std::string path = dir.file("history.db");
  constexpr std::uint64_t kMax = 256U << 10U;
  {
    auto db = open(path);
    REQUIRE(db);
    std::vector<HistoryEntry> many;
    for (int i = 0; i < 20'000; ++i) {
      many.emplace_back(request(kNow + std::chrono::seconds(i), "a-model-with-a-long-name:latest"));
    }
    REQUIRE(db->add(many));
    CHECK(db->prune({0ms, kMax}, kNow).value() > 10'000);
    const auto left = db->requests(WallTime{});
    REQUIRE(left);
    REQUIRE_FALSE(left->empty());
    CHECK(left->back().at == kNow + 19'999s);
  }
  CHECK(std::filesystem::file_size(path) <= kMax);
}

TEST_CASE("a history that is no database is moved aside and a new one begun") {
  const testing::TempDir dir;
  const std::string path = dir.file("history.db");
  std::ofstream(path) << std::string(8192, 'x');
  std::vector<std::string> aside;
  auto db = open(path, &aside);
  REQUIRE(db);
  REQUIRE(aside == std::vector<std::string>{path + ".damaged"});
  CHECK(std::filesystem::file_size(aside[0]) == 8192);
  REQUIRE(db->add({request(kNow)}));
  CHECK(db->requests(WallTime{})->size() == 1);
}

TEST_CASE("a history with a damaged page is moved aside when it is opened, not in a week") {
  const testing::TempDir dir;
  const std::string path = dir.file("history.db");
  {
    auto db = open(path);
    REQUIRE(db);
    std::vector<HistoryEntry> many(3000, request(kNow));
    REQUIRE(db->add(many));
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(8 * 4096, '\xff');
  }
  std::vector<std::string> aside;
  REQUIRE(open(path, &aside));
  CHECK(aside.size() == 1);
}

TEST_CASE("the writer keeps what it was given before it ends") {
  const testing::TempDir dir;
  const std::string path = dir.file("history.db");
  {
    History history({path, {0ms, 0}, {}});
    for (int i = 0; i < 100; ++i) {
      history.add(request(kNow));
    }
    CHECK(history.dropped() == 0);
  }
  CHECK(open(path)->requests(WallTime{})->size() == 100);
}

TEST_CASE("a history that cannot be written is said once and holds nobody up") {
  const testing::TempDir dir;
  std::ofstream(dir.file("file")) << "not a folder";
  std::vector<std::string> said;
  {
    History history({dir.file("file/history.db"), {0ms, 0}, [&said](const std::string& sentence) {
                       said.push_back(sentence);
                     }});
    for (std::size_t i = 0; i < 3 * History::kMaxQueued; ++i) {
      history.add(request(kNow));
    }
  }
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("history") != std::string::npos);
}
