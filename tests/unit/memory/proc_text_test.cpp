#include "memory/proc_text.h"

#include <unistd.h>

#include "support/catch.h"
#include "support/file_tree.h"

using namespace llamavisor;

TEST_CASE("a kB line is found at the start of a line only and given in bytes") {
  const std::string text = "Name:\tRssAnon: 7 kB\nRssAnon:\t     12 kB\nRssAnonX: 9 kB\nBad: kB\n";
  CHECK(kb_line(text, "RssAnon") == 12U * 1024);
  CHECK(kb_line(text, "Anon") == std::nullopt);
  CHECK(kb_line(text, "Bad") == std::nullopt);
  CHECK(kb_line("", "RssAnon") == std::nullopt);
}

TEST_CASE("a kB line whose bytes would not fit is absent, not wrapped around") {
  CHECK(kb_line("A: 18446744073709551615 kB\n", "A") == std::nullopt);
  CHECK(kb_line("A: 99999999999999999999 kB\n", "A") == std::nullopt);
}

TEST_CASE("the word max is no number") {
  CHECK(leading_number("max\n") == std::nullopt);
  CHECK(leading_number(" 42\n") == 42U);
  CHECK(leading_number("") == std::nullopt);
}

TEST_CASE("pressure lines are told apart by their first word") {
  const std::string text =
      "some avg10=1.25 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.50 avg60=0 total=1\n";
  CHECK(pressure_avg10(text, "some") == Approx(1.25));
  CHECK(pressure_avg10(text, "full") == Approx(0.5));
  CHECK(pressure_avg10("some avg10=\n", "some") == std::nullopt);
}

TEST_CASE("stat fields are counted behind a command name with blanks and brackets") {
  const auto stat = parse_stat("7 (x) y) z) S 3 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 99 23");
  REQUIRE(stat);
  CHECK(stat->parent_pid == 3);
  CHECK(stat->start_ticks == 99);
}

TEST_CASE("a stat line cut off at any byte gives the right fields or none") {
  const std::string whole = "7 (a b) S 3 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 99";
  for (std::size_t n = 0; n + 2 < whole.size(); ++n) {
    CHECK_FALSE(parse_stat(whole.substr(0, n)).has_value());
  }
}

TEST_CASE("arguments are split at NUL, with or without one at the end") {
  using Arguments = std::vector<std::string>;
  CHECK(split_nul(std::string("a\0--b\0", 6)) == Arguments{"a", "--b"});
  CHECK(split_nul(std::string("a\0\0b", 4)) == Arguments{"a", "", "b"});
  CHECK(split_nul("").empty());
}

TEST_CASE("a small file is read up to its bound, and a missing one is absent") {
  const testing::FileTree tree;
  tree.write("large", std::string(1U << 20U, 'x'));
  CHECK(read_small_file(tree.root() + "/large")->size() == 256U << 10U);
  CHECK_FALSE(read_small_file(tree.root() + "/none").has_value());
  CHECK_FALSE(read_small_file(tree.root()).has_value());  // a folder
}
