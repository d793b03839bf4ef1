#include "ollama/binary_version.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "support/catch.h"
#include "support/file_tree.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;
using llamavisor::testing::FileTree;

namespace {

struct Program {
  FileTree tree;
  std::string path = tree.root() + "/ollama";

  explicit Program(const std::string& script) {
    tree.write("ollama", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  Result<std::string> version(std::chrono::milliseconds timeout = 20s) const {
    return binary_version(path, {"PATH=/usr/bin:/bin", "OLLAMA_HOST=example.org"}, timeout);
  }
};

// The process is dead, or will be within a bound.
bool ends(int pid) {
  for (int i = 0; i < 2000; ++i) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    if (text.empty() || text.find(") Z ") != std::string::npos) {
      return true;
    }
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

}  // namespace

TEST_CASE("the client's version counts, whether a server answers or not") {
  CHECK(version_in("ollama version is 0.12.3\n") == "0.12.3");
  CHECK(version_in(
            "Warning: could not connect to a running Ollama instance\nWarning: client version is 0.32.5\n") ==
        "0.32.5");
  CHECK(version_in("ollama version is 0.11.0\nWarning: client version is 0.32.5-rc1\n") == "0.32.5-rc1");
  CHECK_FALSE(version_in("hello"));
  CHECK_FALSE(version_in("ollama version is \n"));
  CHECK_FALSE(version_in(""));
}

TEST_CASE("versions below 0.12 are too old, and one that says nothing is not") {
  for (const char* version : {"0.11.11", "0.5.7", "0.1.0", "0.0.5"}) {
    CHECK(is_too_old(version));
  }
  for (const char* version :
       {"0.12.0", "0.12.0-rc1", "0.24.0", "0.32.15", "1.0.0", "0.0.0", "", "nonsense"}) {
    CHECK_FALSE(is_too_old(version));
  }
}

TEST_CASE("the program is asked with --version, and no running server in its stead") {
  CHECK(
      *Program(
           "[ \"$*\" = --version ] && [ \"$OLLAMA_HOST\" = 127.0.0.1:1 ] && echo 'ollama version is 0.12.3'")
           .version() == "0.12.3");
  CHECK(*Program("echo 'Warning: client version is 0.32.5' >&2; exit 1").version() == "0.32.5");
}

TEST_CASE("a program that hangs, or keeps its output open, costs the time-out and leaves nobody") {
  const Program hangs("sleep 1000 & echo $! > \"$0.pid\"; echo $$ >> \"$0.pid\"; sleep 1000");
  const auto version = hangs.version(500ms);
  REQUIRE(version.has_error());
  CHECK_THAT(version.error().message, ContainsSubstring("did not end within 500 ms"));
  std::ifstream pids(hangs.path + ".pid");
  int found = 0;
  for (int pid = 0; pids >> pid; ++found) {
    CHECK(ends(pid));
  }
  CHECK(found == 2);
}

TEST_CASE("a program that never stops writing is stopped") {
  const auto version =
      Program("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")
          .version(60s);
  CHECK(version.has_error());
}

TEST_CASE("what cannot be run, or is no Ollama, is an error with the mend") {
  CHECK_THAT(Program("echo hello").version().error().message, ContainsSubstring("names no version"));
  CHECK(Program("echo hello").version().error().hint.find("--ollama") != std::string::npos);
  CHECK(binary_version("/nothing/ollama", {}, 1s).has_error());
}
