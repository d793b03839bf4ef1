#include "ollama/log_pump.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include "ollama/line_splitter.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace llamavisor;
using llamavisor::testing::TempDir;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> split(LineSplitter& splitter, std::string_view bytes) {
  std::vector<std::string> out;
  splitter.feed(bytes, [&](std::string&& line) { out.push_back(line); });
  return out;
}

struct Pipes {
  Pipes() {
    int out[2];
    int err[2];
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(err, O_CLOEXEC) == 0);
    ::fcntl(out[0], F_SETFL, O_NONBLOCK);
    ::fcntl(err[0], F_SETFL, O_NONBLOCK);
    read_out.reset(out[0]);
    write_out.reset(out[1]);
    read_err.reset(err[0]);
    write_err.reset(err[1]);
  }
  UniqueFd read_out, write_out, read_err, write_err;
};

void say(const UniqueFd& fd, std::string_view text) {
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("lines come whole whatever the pieces they arrive in") {
  LineSplitter splitter;
  CHECK(split(splitter, "one\ntw") == std::vector<std::string>{"one"});
  CHECK(split(splitter, "o\r\n\nthree") == std::vector<std::string>{"two", ""});
  std::string last;
  splitter.finish([&](std::string&& line) { last = line; });
  CHECK(last == "three");
}

TEST_CASE("a line beyond the bound is cut with a mark and the next one is whole") {
  LineSplitter splitter;
  CHECK(split(splitter, std::string(LineSplitter::kMaxLineBytes, 'x')).empty());
  const auto lines = split(splitter, std::string(100'000, 'y') + "\nnext\n");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == std::string(LineSplitter::kMaxLineBytes, 'x') + std::string(LineSplitter::kCutMark));
  CHECK(lines[1] == "next");
}

TEST_CASE("a line of exactly the bound is not cut") {
  LineSplitter splitter;
  const std::string line(LineSplitter::kMaxLineBytes, 'x');
  CHECK(split(splitter, line + "\n") == std::vector<std::string>{line});
}

TEST_CASE("the ring keeps the newest lines within its bounds of lines and bytes") {
  LogRing ring(3, 10);
  for (const char* line : {"1", "2", "3", "4"}) {
    ring.push(line);
  }
  CHECK(ring.tail(10) == std::vector<std::string>{"2", "3", "4"});
  CHECK(ring.tail(2) == std::vector<std::string>{"3", "4"});
  ring.push("123456789");
  CHECK(ring.tail(10) == std::vector<std::string>{"4", "123456789"});
  ring.push("longer than all the room");
  CHECK(ring.tail(10) == std::vector<std::string>{"longer than all the room"});
  CHECK(ring.pushed() == 6);
}

TEST_CASE("a follower of the ring hears each new line until it lets go") {
  LogRing ring;
  std::vector<std::string> heard;
  auto handle = ring.listen([&](const std::string& line) { heard.push_back(line); });
  ring.push("one");
  handle.reset();
  ring.push("two");
  CHECK(heard == std::vector<std::string>{"one"});
}

TEST_CASE("the pump brings stdout and stderr into ring and file") {
  TempDir dir;
  const std::string path = dir.file("sub/ollama.log");
  {
    boost::asio::io_context io(1);
    boost::asio::thread_pool workers(1);
    LogPump pump(io, workers, {path, 1 << 20, 2});
    Pipes pipes;
    pump.attach(std::move(pipes.read_out), std::move(pipes.read_err));
    say(pipes.write_out, "from stdout\n");
    say(pipes.write_err, "from stderr\nhalf a line");
    pipes.write_out.reset();
    pipes.write_err.reset();
    io.run();  // ends with the pipes
    const auto lines = pump.ring().tail(10);
    CHECK(lines.size() == 3);
    CHECK(std::count(lines.begin(), lines.end(), "half a line") == 1);
    workers.join();
  }
  CHECK_THAT(read_file(path), ContainsSubstring("from stdout\n"));
  CHECK_THAT(read_file(path), ContainsSubstring("from stderr\nhalf a line\n"));
}

TEST_CASE("what is in the pipes can be read at once, and the pump goes on after it") {
  TempDir dir;
  boost::asio::io_context io(1);
  boost::asio::thread_pool workers(1);
  LogPump pump(io, workers, {dir.file("log"), 1 << 20, 2});
  Pipes pipes;
  pump.attach(std::move(pipes.read_out), std::move(pipes.read_err));
  say(pipes.write_err, "last words\n");
  pump.drain_now();
  CHECK(pump.ring().tail(1) == std::vector<std::string>{"last words"});
  say(pipes.write_err, "more\n");
  pipes.write_out.reset();
  pipes.write_err.reset();
  io.run();
  CHECK(pump.ring().tail(1) == std::vector<std::string>{"more"});
  workers.join();
}

TEST_CASE("the log rotates by size and keeps no more files than it may") {
  TempDir dir;
  boost::asio::thread_pool workers(1);
  {
    LogFile file(workers, {dir.file("log"), 1000, 3});
    for (int i = 0; i < 50; ++i) {
      file.write(std::string(99, static_cast<char>('a' + i % 26)));
    }
    workers.join();
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    CHECK(entry.file_size() <= 1000);
    ++files;
  }
  CHECK(files == 3);
}

TEST_CASE("a full disk costs lines of the file and nothing else") {
  TempDir dir;
  std::filesystem::create_symlink("/dev/full", dir.path() / "log");
  boost::asio::io_context io(1);
  boost::asio::thread_pool workers(1);
  LogPump pump(io, workers, {dir.file("log"), 1 << 20, 2});
  Pipes pipes;
  pump.attach(std::move(pipes.read_out), std::move(pipes.read_err));
  for (int i = 0; i < 100; ++i) {
    say(pipes.write_out, "line " + std::to_string(i) + "\n");
    io.poll();
  }
  pipes.write_out.reset();
  pipes.write_err.reset();
  io.run();
  workers.join();
  CHECK(pump.ring().tail(1) == std::vector<std::string>{"line 99"});
}
