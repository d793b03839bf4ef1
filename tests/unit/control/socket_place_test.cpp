#include "control/socket_place.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "control/control_server.h"
#include "support/catch.h"
#include "support/fake_supervisor.h"
#include "support/file_tree.h"
#include "support/results.h"
#include "support/unix_client.h"

using namespace llamavisor;
namespace fs = std::filesystem;
using llamavisor::testing::FakeSupervisor;
using llamavisor::testing::FileTree;
using llamavisor::testing::UnixClient;

namespace {

UniqueFd listener_at(const std::string& path, int backlog) {
  UniqueFd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(out.get(), backlog) == 0);
  return out;
}

}  // namespace

TEST_CASE("a socket that nobody listens on any more is taken away") {
  const FileTree tree;
  const std::string path = tree.root() + "/c.sock";
  listener_at(path, 1).reset();
  REQUIRE(fs::is_socket(path));
  CHECK(make_socket_place(path));
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("a second supervisor is refused with the pid of the first, which goes on") {
  const FileTree tree;
  const std::string path = tree.root() + "/c.sock";
  boost::asio::io_context io;
  FakeSupervisor supervisor;
  const auto first = start_control_server(io, path, supervisor);
  REQUIRE(first);
  const auto second = start_control_server(io, path, supervisor);
  REQUIRE(second.has_error());
  CHECK(second.error().message == "llamavisor runs already (pid " + std::to_string(getpid()) + ")");
  CHECK_THAT(second.error().hint, ContainsSubstring("stop it first"));
  CHECK(UnixClient(path).connected());
}

TEST_CASE("a supervisor that is too busy to be asked keeps its socket") {
  const FileTree tree;
  const std::string path = tree.root() + "/c.sock";
  const UniqueFd listener = listener_at(path, 0);
  const UnixClient first(path);  // it fills the queue
  REQUIRE_FALSE(UnixClient(path).connected());
  const auto second = make_socket_place(path);
  REQUIRE(second.has_error());
  CHECK_THAT(second.error().message, ContainsSubstring("runs already"));
  CHECK(fs::is_socket(path));
}

TEST_CASE("what is no socket is never taken away") {
  const FileTree tree;
  tree.write("notes.txt", "mine");
  fs::create_symlink("notes.txt", tree.root() + "/link");
  fs::create_directories(tree.root() + "/folder");
  for (const char* name : {"/notes.txt", "/link", "/folder"}) {
    const auto place = make_socket_place(tree.root() + name);
    REQUIRE(place.has_error());
    CHECK_THAT(place.error().message, ContainsSubstring("is no socket"));
  }
  CHECK(*read_file(tree.root() + "/notes.txt", 10) == "mine");
  CHECK(fs::is_symlink(tree.root() + "/link"));
}

TEST_CASE("a folder that was there keeps its mode") {
  const FileTree tree;
  fs::create_directories(tree.root() + "/shared");
  for (const mode_t mode : {mode_t{0755}, mode_t{0750}, mode_t{01777}}) {
    REQUIRE(::chmod((tree.root() + "/shared").c_str(), mode) == 0);
    CHECK(make_socket_place(tree.root() + "/shared/c.sock"));
    struct stat info {};
    REQUIRE(::stat((tree.root() + "/shared").c_str(), &info) == 0);
    CHECK((info.st_mode & 07777U) == mode);
  }
}

TEST_CASE("a folder that everybody can write to, or that is none, is refused with the mend") {
  const FileTree tree;
  fs::create_directories(tree.root() + "/open");
  REQUIRE(::chmod((tree.root() + "/open").c_str(), 0777) == 0);
  CHECK(make_socket_place(tree.root() + "/open/c.sock").error().hint == "chmod o-w " + tree.root() + "/open");
  tree.write("file", "");
  CHECK(make_socket_place(tree.root() + "/file/c.sock").has_error());
  CHECK(make_socket_place("/proc/none/c.sock").has_error());
}

TEST_CASE("folders on the way are made, the last one for the owner alone") {
  const FileTree tree;
  REQUIRE(make_socket_place(tree.root() + "/a/b/c.sock"));
  struct stat info {};
  REQUIRE(::stat((tree.root() + "/a/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0700);
}

TEST_CASE("a path that is too long for a socket is an error and no exception") {
  const FileTree tree;
  boost::asio::io_context io;
  FakeSupervisor supervisor;
  const auto server = start_control_server(io, tree.root() + "/" + std::string(120, 'x'), supervisor);
  REQUIRE(server.has_error());
  CHECK_THAT(server.error().message, ContainsSubstring("too long"));
}

TEST_CASE("of two that start at once the second waits until the first listens", "[control]") {
  const FileTree tree;
  const std::string path = tree.root() + "/run/c.sock";
  auto first = make_socket_place(path);
  REQUIRE(first);
  std::atomic<bool> second_done = false;
  std::thread second([&] {
    CHECK(make_socket_place(path));
    second_done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_FALSE(second_done);
  *first = UniqueFd();
  second.join();
}
