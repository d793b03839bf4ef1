#include <boost/json/parse.hpp>
#include <fstream>

#include "cli_rig.h"
#include "store/history_db.h"
#include "store/paths.h"

using namespace llamavisor;
namespace json = boost::json;
using llamavisor::testing::Captured;
using llamavisor::testing::CliRig;
using Words = std::vector<std::string>;

TEST_CASE("simulate runs without a supervisor, and a printed trace gives the same figures again") {
  const CliRig rig;
  const Words made{"simulate", "--make", "rag", "--requests", "200", "--policy", "ollama", "--limit", "8GB"};
  Words as_json = made;
  as_json.emplace_back("--json");
  const Captured first = CliRig::run(as_json);
  REQUIRE(first.code == 0);
  Words printed = made;
  printed.emplace_back("--print-trace");
  const std::string path = rig.tree.root() + "/trace.jsonl";
  std::ofstream(path) << CliRig::run(printed).out;
  const Captured again =
      CliRig::run({"simulate", "--from", path, "--policy", "ollama", "--limit", "8GB", "--json"});
  REQUIRE(again.code == 0);
  const json::object a = json::parse(first.out).as_object();
  const json::object b = json::parse(again.out).as_object();
  CHECK(a.at("results") == b.at("results"));
  CHECK(a.at("bounds") == b.at("bounds"));
  CHECK(a.at("results").at(0).at("requests").as_int64() == 200);
  const Captured table = CliRig::run(made);
  CHECK(table.code == 0);
  CHECK_THAT(table.out, ContainsSubstring("200 requests"));
  CHECK_THAT(table.out, ContainsSubstring("(bound)"));
  CHECK(table.err.empty());  // no progress where there is no terminal
}

TEST_CASE("simulate says what is wrong with what was typed") {
  const CliRig rig;
  for (const Words& words :
       {Words{"simulate"}, Words{"simulate", "--make", "chaos"},
        Words{"simulate", "--make", "rag", "--history", "7d"},
        Words{"simulate", "--make", "rag", "--limit", "much"},
        Words{"simulate", "--make", "rag", "--policy", "ask"},
        Words{"simulate", "--make", "rag", "--requests", "0"}, Words{"simulate", "--history", "soon"},
        Words{"simulate", "--history", "7d"}, Words{"simulate", "--from", "/nowhere/trace"},
        Words{"simulate", "--ollama-log", "/nowhere/log"}, Words{"history"}}) {
    INFO(words.back());
    const Captured done = CliRig::run(words);
    CHECK(done.code == 2);
    CHECK_FALSE(done.err.empty());
  }
}

TEST_CASE("history prune removes what is older than it is told") {
  const CliRig rig;
  CHECK_THAT(CliRig::run({"history", "prune"}).out, ContainsSubstring("There is no history"));
  {
    auto db = HistoryDb::open(history_path(), {});
    REQUIRE(db);
    const auto now = std::chrono::system_clock::now();
    REQUIRE(db->add({HistoryEviction{now - std::chrono::hours(24 * 40), "a"},
                     HistoryEviction{now - std::chrono::hours(24 * 10), "b"}}));
  }
  CHECK_THAT(CliRig::run({"history", "prune"}).out, ContainsSubstring("Removed 1 entries"));
  CHECK_THAT(CliRig::run({"history", "prune", "--older-than", "30d"}).out, ContainsSubstring("Removed 0"));
  CHECK_THAT(CliRig::run({"history", "prune", "--older-than", "0"}).out, ContainsSubstring("Removed 1"));
}
