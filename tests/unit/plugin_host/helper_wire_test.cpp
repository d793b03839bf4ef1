// What a helper may send: bounds, nonsense, half frames, silence. Nothing of it is believed.
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "base/unique_fd.h"
#include "plugin_host/helper_messages.h"
#include "support/results.h"

using namespace llamavisor;

namespace {

struct Pair {
  UniqueFd ours;
  UniqueFd theirs;

  Pair() {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  }
  void say(const std::string& bytes) const {
    if (::send(theirs.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      std::abort();  // called on other threads, where REQUIRE may not be used
    }
  }
  // What we take for the answer, or the error.
  std::string heard(std::chrono::milliseconds patience = std::chrono::seconds(10)) const {
    std::string into;
    bool timed_out = false;
    const auto got = receive_frame(ours.get(), into, std::chrono::steady_clock::now() + patience, timed_out);
    return got ? std::string(*got) : (timed_out ? "late: " : "error: ") + got.error().message;
  }
};

std::string length(std::uint32_t bytes) {
  return {reinterpret_cast<const char*>(&bytes), sizeof bytes};
}

}  // namespace

TEST_CASE("a frame arrives whole, in one piece or in many") {
  const Pair pair;
  pair.say(length(3) + "abc");
  CHECK(pair.heard() == "abc");
  pair.say(length(0));
  CHECK(pair.heard().empty());
  const std::string large(200'000, 'x');
  std::thread slow([&] {
    for (const char byte : length(5) + "slow!") {
      pair.say(std::string(1, byte));
    }
  });
  CHECK(pair.heard() == "slow!");
  slow.join();
  std::thread much([&] { pair.say(length(200'000) + large); });
  CHECK(pair.heard() == large);
  much.join();
}

TEST_CASE("a frame that is too long, half, or followed by another one is an error") {
  CHECK([] {
    const Pair pair;
    pair.say(length(kMaxFrameBytes + 1));
    return pair.heard();
  }() == "error: does not keep to the protocol");
  CHECK([] {
    const Pair pair;
    pair.say(length(2) + "abc");
    return pair.heard();
  }() == "error: does not keep to the protocol");
  CHECK([] {
    Pair pair;
    pair.say(length(9) + "abc");
    pair.theirs.reset();
    return pair.heard();
  }() == "error: closed the connection");
  const Pair silent;
  silent.say(length(9) + "abc");
  CHECK(silent.heard(std::chrono::milliseconds(30)) == "late: no answer in time");
}

TEST_CASE("an end that does not read is not waited for longer than the deadline") {
  const Pair pair;
  Packer question;
  question.text(std::string(kMaxFrameBytes - 4, 'q'));
  bool timed_out = false;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
  CHECK_FALSE(send_frame(pair.ours.get(), question.frame(), until, timed_out));
  CHECK(timed_out);
  question.add('q');
  CHECK_THAT(send_frame(pair.ours.get(), question.frame(), until, timed_out).error().message,
             ContainsSubstring("larger than"));
}

TEST_CASE("reading past the end, or more than a bound, gives nothing and says so") {
  Packer out;
  out.add(std::uint32_t{7}).text("text").add(std::uint32_t{1'000'000});
  const std::string_view bytes = std::string_view(out.frame()).substr(4);
  Unpacker in(bytes);
  CHECK(in.get<std::uint32_t>() == 7);
  CHECK(in.text(4) == "text");
  CHECK(in.ok());
  CHECK(in.count(2'000'000) == 0);  // there are no million things behind it
  CHECK_FALSE(in.ok());
  CHECK(in.get<std::uint32_t>() == 0);
  Unpacker bounded(bytes);
  bounded.get<std::uint32_t>();
  CHECK(bounded.text(3).empty());
  CHECK_FALSE(bounded.ok());
}

TEST_CASE("a description with any byte changed or cut is taken by the loader's rules or refused") {
  PluginInfo plugin;
  plugin.id = "good";
  plugin.version = "1.0";
  plugin.roles = {"context"};
  plugin.keys = {{"grace", "30s", true, false, "help", LLV_KEY_DURATION, 0, 0}};
  plugin.table.get_role = [](const char*) -> const void* { return nullptr; };
  Packer out;
  pack_plugins(out, {plugin});
  const std::string bytes = out.frame().substr(4);
  const auto read = [](const std::string& from) {
    Unpacker in(from);
    return unpack_plugins(in, "file.so");
  };
  REQUIRE(read(bytes));
  CHECK(read(bytes)->front().info.id == "good");
  CHECK(read(bytes)->front().info.keys.front().default_value == "30s");
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    CHECK_FALSE(read(bytes.substr(0, at)));
    for (const int change : {1, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      const auto plugins = read(damaged);
      CHECK((!plugins || (is_plugin_id(plugins->front().info.id) && plugins->size() == 1)));
    }
  }
}
