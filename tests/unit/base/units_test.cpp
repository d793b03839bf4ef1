#include "base/units.h"

#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;

TEST_CASE("sizes are read as people write them, in powers of 1024") {
  CHECK(*parse_bytes("0") == 0);
  CHECK(*parse_bytes("512") == 512);
  CHECK(*parse_bytes("512 B") == 512);
  CHECK(*parse_bytes("1k") == 1024);
  CHECK(*parse_bytes("1.5MB") == 3U << 19U);
  CHECK(*parse_bytes(" 6 GiB ") == 6ULL << 30U);
  CHECK(*parse_bytes("2tb") == 2ULL << 40U);
}

TEST_CASE("what is no size is refused and named") {
  for (const char* text : {"", " ", "GB", "-1", "1 2GB", "1,5GB", "0x10", "1e3", "12XB", "GB12", "nan", "inf",
                           "1GB!", "2000000TB"}) {
    const auto bytes = parse_bytes(text);
    REQUIRE(bytes.has_error());
    CHECK(bytes.error().message == "\"" + std::string(text) + "\" is not a size");
  }
}

TEST_CASE("durations are read as people write them") {
  CHECK(*parse_duration("0") == 0ms);
  CHECK(*parse_duration("30") == 30s);
  CHECK(*parse_duration("250ms") == 250ms);
  CHECK(*parse_duration("1h30m") == 90min);
  CHECK(*parse_duration(" 1 h 30 m ") == 90min);
  CHECK(*parse_duration("1.5s") == 1500ms);
  CHECK(*parse_duration("1D") == 24h);
}

TEST_CASE("what is no duration is refused and named") {
  for (const char* text : {"", "s", "-5s", "5x", "1 0s0x", "soon", "nan", "inf", "1e5s", "..", "5s-1s"}) {
    const auto duration = parse_duration(text);
    REQUIRE(duration.has_error());
    CHECK(duration.error().message == "\"" + std::string(text) + "\" is not a duration");
  }
}

TEST_CASE("the longest duration can be added to any clock's time") {
  const auto longest = parse_duration("36500d");
  REQUIRE(longest);
  CHECK(std::chrono::steady_clock::now() + *longest > std::chrono::steady_clock::now());
  CHECK(std::chrono::system_clock::now() + *longest > std::chrono::system_clock::now());
  CHECK(parse_duration("36501d").has_error());
  CHECK(parse_duration("9223372036854775807").has_error());
}

TEST_CASE("sizes are written with three figures") {
  const std::vector<std::pair<std::uint64_t, std::string>> cases{{0, "0 B"},
                                                                 {1, "1 B"},
                                                                 {1023, "1023 B"},
                                                                 {1024, "1.00 KB"},
                                                                 {10 * 1024, "10.0 KB"},
                                                                 {141ULL << 20U, "141 MB"},
                                                                 {(1ULL << 30U) - 1, "1.00 GB"},
                                                                 {3'435'973'837, "3.20 GB"},
                                                                 {24ULL << 30U, "24.0 GB"},
                                                                 {100ULL << 30U, "100 GB"},
                                                                 {1ULL << 40U, "1.00 TB"},
                                                                 {~0ULL, "16777216 TB"}};
  for (const auto& [bytes, text] : cases) {
    CHECK(format_bytes(bytes) == text);
  }
}

TEST_CASE("durations are written with at most two units") {
  const std::vector<std::pair<std::chrono::milliseconds, std::string>> cases{
      {0ms, "0 ms"},      {999ms, "999 ms"},    {1s, "1 s"},           {1499ms, "1 s"},
      {59'499ms, "59 s"}, {59'500ms, "1 min"},  {90s, "1 min 30 s"},   {599s, "9 min 59 s"},
      {754s, "12 min"},   {3'599'600ms, "1 h"}, {185min, "3 h 5 min"}, {24h, "1 d"},
      {49h, "2 d 1 h"}};
  for (const auto& [duration, text] : cases) {
    CHECK(format_duration(duration) == text);
  }
}

TEST_CASE("whatever size is written reads as the same size, to three figures") {
  for (std::uint64_t bytes = 1; bytes < 1ULL << 50U; bytes = bytes * 3 + 7) {
    const auto read = parse_bytes(format_bytes(bytes));
    REQUIRE(read);
    CHECK(static_cast<double>(*read) == Approx(static_cast<double>(bytes)).epsilon(0.006));
  }
}
