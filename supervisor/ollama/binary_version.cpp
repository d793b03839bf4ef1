#include "ollama/binary_version.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "base/units.h"
#include "ollama/process_group.h"
#include "ollama/spawn.h"

namespace llamavisor {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMaxOutputBytes = 64 * 1024;

// Reads both pipes until they end, the time is over or there is too much; true: they ended.
bool read_to_end(SpawnedChild& child, std::string& out, Clock::time_point end) {
  while (child.out || child.err) {
    std::array<pollfd, 2> fds{{{child.out.get(), POLLIN, 0}, {child.err.get(), POLLIN, 0}}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0 || out.size() > kMaxOutputBytes ||
        poll(fds.data(), fds.size(), static_cast<int>(left)) <= 0) {
      return false;
    }
    for (UniqueFd* fd : {&child.out, &child.err}) {
      std::array<char, 4096> bytes{};
      const ssize_t n = *fd ? read(fd->get(), bytes.data(), bytes.size()) : -1;
      out.append(bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) {
        fd->reset();
      }
    }
  }
  return true;
}

// Whatever it still does, it and its children are gone afterwards.
void end(const SpawnedChild& child) {
  signal_group(child.pid, SIGKILL);
  pollfd ended{child.pidfd.get(), POLLIN, 0};
  poll(&ended, 1, 1000);
  reap(child.pidfd.get());
  reap_group(child.pid);
}

}  // namespace

Result<std::string> binary_version(const std::string& path, const Environment& own,
                                   std::chrono::milliseconds timeout) {
  // Nobody listens on port 1, so no server answers in the program's stead.
  const std::vector<EnvEntry> nobody{{"OLLAMA_HOST", "127.0.0.1:1", ""}};
  auto child = spawn_child({path, {"--version"}, merged_environment(own, nobody)});
  if (!child) {
    return child.error();
  }
  std::string output;
  const bool ended = read_to_end(*child, output, Clock::now() + timeout);
  end(*child);
  if (const auto version = version_in(output)) {
    return ok(*version);
  }
  return Error(path + (ended ? " --version names no version"
                             : " --version did not end within " + format_duration(timeout)),
               "name an Ollama program with --ollama PATH or server.ollama");
}

std::optional<std::string> version_in(const std::string& output) {
  for (const std::string before : {"client version is ", "ollama version is "}) {
    if (const std::size_t at = output.find(before); at != std::string::npos) {
      const std::size_t begin = at + before.size();
      const std::size_t size =
          output.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz.-+", begin) - begin;
      const std::string version = output.substr(begin, std::min<std::size_t>(size, 40));
      return version.empty() ? std::nullopt : std::optional(version);
    }
  }
  return std::nullopt;
}

bool is_too_old(const std::string& version) {
  int major = 0;
  int minor = 0;
  int patch = 0;
  const bool read = std::sscanf(version.c_str(), "%d.%d.%d", &major, &minor, &patch) >= 2;
  return read && major == 0 && minor < 12 && (minor > 0 || patch > 0);
}

}  // namespace llamavisor
