#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "support/catch.h"
#include "support/file_tree.h"
#include "support/results.h"

using namespace llamavisor;
namespace fs = std::filesystem;
using llamavisor::testing::FileTree;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

std::size_t files_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a file is read whole, up to the bound and not beyond it") {
  const FileTree tree;
  const std::string bytes("a\0\xff\n", 4);
  tree.write("f", bytes);
  CHECK(*read_file(tree.root() + "/f", 4) == bytes);
  const auto larger = read_file(tree.root() + "/f", 3);
  REQUIRE(larger.has_error());
  CHECK(larger.error().message == tree.root() + "/f: larger than 3 bytes");
  CHECK(read_file("/dev/zero", 1000).has_error());
}

TEST_CASE("a folder, and a file that is not there, are errors and not an empty text") {
  const FileTree tree;
  CHECK_THAT(read_file(tree.root(), 100).error().message, ContainsSubstring(tree.root() + ": "));
  CHECK_THAT(read_file(tree.root() + "/none", 100).error().message, ContainsSubstring("No such file"));
}

TEST_CASE("a new file is for its owner alone, folders on the way are made, nothing else stays") {
  const FileTree tree;
  const std::string path = tree.root() + "/a/b/f";
  REQUIRE(write_file_atomically(path, "one"));
  CHECK(mode_of(path) == 0600);
  CHECK(*read_file(path, 10) == "one");
  CHECK(files_in(tree.root() + "/a/b") == 1);
}

TEST_CASE("a file that is written again keeps its mode, whatever the umask") {
  const FileTree tree;
  tree.write("f", "one");
  const std::string path = tree.root() + "/f";
  chmod(path.c_str(), 0664);
  const mode_t before = umask(077);
  const auto written = write_file_atomically(path, "two");
  umask(before);
  REQUIRE(written);
  CHECK(mode_of(path) == 0664);
  CHECK(*read_file(path, 10) == "two");
}

TEST_CASE("a link stays a link and what it names is written") {
  const FileTree tree;
  tree.write("real/f", "one");
  fs::create_symlink("real/f", tree.root() + "/link");
  REQUIRE(write_file_atomically(tree.root() + "/link", "two"));
  CHECK(fs::is_symlink(tree.root() + "/link"));
  CHECK(*read_file(tree.root() + "/real/f", 10) == "two");
}

TEST_CASE("a write that cannot be done leaves the old file and no other") {
  const FileTree tree;
  tree.write("folder/f", "one");
  CHECK(write_file_atomically(tree.root() + "/folder", "two").has_error());
  CHECK(write_file_atomically(tree.root() + "/folder/f/g", "two").has_error());
  CHECK(write_file_atomically("/proc/llamavisor/f", "two").has_error());
  CHECK(*read_file(tree.root() + "/folder/f", 10) == "one");
  CHECK(files_in(tree.root()) == 1);
  CHECK(files_in(tree.root() + "/folder") == 1);
}

TEST_CASE("with many writers every reader sees one whole text") {
  const FileTree tree;
  const std::string path = tree.root() + "/f";
  REQUIRE(write_file_atomically(path, std::string(50'000, 'a')));
  std::vector<std::thread> writers;
  std::atomic<int> failures = 0;
  for (char c = 'a'; c < 'e'; ++c) {
    writers.emplace_back([&, c] {
      for (int i = 0; i < 25; ++i) {
        failures += write_file_atomically(path, std::string(50'000, c)) ? 0 : 1;
      }
    });
  }
  int torn = 0;
  for (int i = 0; i < 200; ++i) {
    const auto text = read_file(path, 60'000);
    torn +=
        text && text->size() == 50'000 && text->find_first_not_of(text->front()) == std::string::npos ? 0 : 1;
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  CHECK(failures == 0);
  CHECK(torn == 0);
  CHECK(files_in(tree.root()) == 1);
}
