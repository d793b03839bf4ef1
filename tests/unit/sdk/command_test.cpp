// The command plugin, as built, with real programs.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/catch.h"
#include "unit/sdk/plugin_rig.h"

using namespace sdk_rig;
namespace fs = std::filesystem;

namespace {

class TempDir {
 public:
  TempDir() : path_(fs::temp_directory_path() / "llv-command-XXXXXX") {
    std::string name = path_.string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { fs::remove_all(path_); }
  [[nodiscard]] std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

std::map<std::string, Value> run(std::vector<std::string> argv, std::int64_t timeout_ms = 60'000) {
  return {{"argv", std::move(argv)}, {"timeout", timeout_ms * 1'000'000}};
}

std::string content(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

Answer send(std::vector<std::string> argv, const std::string& json = "{}") {
  return notify(Instance(shipped("command"), run(std::move(argv))), "eviction", "s", "b", json);
}

}  // namespace

TEST_CASE(
    "command gives the event to the program as one line on stdin, and its arguments unread by a shell") {
  const TempDir dir;
  const std::string odd = dir / "a b; $(touch x) 'q'";
  const std::string json = "{\"kind\": \"eviction\", \"filler\": \"" + std::string(300'000, 'x') + "\"}";
  CHECK(send({"tee", odd}, json).code == LLV_OK);
  CHECK(content(odd) == json + "\n");
}

TEST_CASE("command does not mind a program that never reads") {
  CHECK(send({"true"}, std::string(300'000, 'x')).code == LLV_OK);
}

TEST_CASE("command passes on none of the host's descriptors") {
  const TempDir dir;
  const int leaky = open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a careless library would
  CHECK(send({"sh", "-c", "ls /proc/$$/fd > \"$0\"", dir / "fds"}).code == LLV_OK);
  close(leaky);
  const std::string fds = content(dir / "fds");
  CHECK_THAT(fds, ContainsSubstring("2\n"));
  CHECK(fds.find("\n" + std::to_string(leaky) + "\n") == std::string::npos);
}

TEST_CASE("command reports how a program failed") {
  const Answer code = send({"sh", "-c", "exit 3"});
  CHECK(code.code == LLV_E_FAILED);
  CHECK(code.text == "sh ended with exit code 3");
  const Answer signal = send({"sh", "-c", "kill -TERM $$"});
  CHECK(signal.code == LLV_E_FAILED);
  CHECK(signal.text == "sh was ended by signal 15");
  const Answer missing = send({"/nonexistent/program"});
  CHECK(missing.code == LLV_E_UNAVAILABLE);
  CHECK(missing.text == "starting /nonexistent/program: No such file or directory");
}

TEST_CASE("command needs a program") {
  const Answer empty = Instance(shipped("command"), run({})).made;
  CHECK(empty.code == LLV_E_INVALID);
  CHECK_THAT(empty.text, ContainsSubstring("argv: name the program"));
}

TEST_CASE("command ends a program that takes too long, together with what it started") {
  const TempDir dir;
  const std::string fifo = dir / "alive";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  // The shell and the sleeper hold the write end for as long as they live.
  const Instance command(shipped("command"),
                         run({"sh", "-c", "exec 3> \"$0\"; echo up >&3; sleep 1000 & wait", fifo}, 1000));
  const Answer answer = notify(command, "eviction", "s", "b");
  CHECK(answer.code == LLV_E_TIMEOUT);
  CHECK(answer.text == "sh was ended after 1 s");
  std::array<char, 16> text{};
  REQUIRE(read(reader, text.data(), text.size()) == 3);
  pollfd closed{reader, 0, 0};  // POLLHUP: the last writer is gone
  CHECK(poll(&closed, 1, 60'000) == 1);
  close(reader);
}

TEST_CASE("command ends what a program leaves behind in its group") {
  const TempDir dir;
  const std::string fifo = dir / "alive";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  CHECK(send({"sh", "-c", "exec 3> \"$0\"; echo up >&3; sleep 1000 &", fifo}).code == LLV_OK);
  std::array<char, 16> text{};
  REQUIRE(read(reader, text.data(), text.size()) == 3);
  pollfd closed{reader, 0, 0};
  CHECK(poll(&closed, 1, 60'000) == 1);
  close(reader);
}
