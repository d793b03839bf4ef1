#include "control/socket_place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

namespace llamavisor {
namespace {

constexpr const char* kMend = "set XDG_RUNTIME_DIR or LLAMAVISOR_SOCKET to another place";

Result<void> check_folder(const std::string& folder) {
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), ec);
  struct stat info {};
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error(folder + ": " + std::strerror(errno), kMend);
  }
  if (stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) ||
      (info.st_uid != geteuid() && info.st_uid != 0)) {
    return Error(folder + ": not a folder of this user", kMend);
  }
  if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
    return Error(folder + ": everybody can write to it", "chmod o-w " + folder);
  }
  return {};
}

// 0: somebody listens there. Else the errno of a connect that does not wait.
int connect_error(const sockaddr_un& address, std::optional<pid_t>& listener) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe || connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno;
  }
  const auto peer = peer_of(probe.get());
  listener = peer ? std::optional(peer->pid) : std::nullopt;
  return 0;
}

Result<void> clear(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? Result<void>() : Error(path + ": " + std::strerror(errno), kMend);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Error(path + " is there and is no socket", kMend);
  }
  std::optional<pid_t> listener;
  const int error = connect_error(address, listener);
  if (error == 0 || error == EAGAIN) {  // EAGAIN: its queue is full
    return Error("llamavisor runs already (" + (listener ? "pid " + std::to_string(*listener) : path) + ")",
                 "stop it first, or give this one another XDG_RUNTIME_DIR");
  }
  if (error != ECONNREFUSED || unlink(path.c_str()) != 0) {
    return Error(path + ": " + std::strerror(error == ECONNREFUSED ? errno : error), kMend);
  }
  return {};
}

// Whoever clears the place and listens on it does so alone: of two supervisors that start at the same moment
// the second must not take the first one's new socket for a stale one.
Result<UniqueFd> lock_folder(const std::string& folder) {
  UniqueFd out(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (!out || flock(out.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
      return out;  // a file system without locks has to do without
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return Error(folder + " is locked by another program", kMend);
}

}  // namespace

std::optional<ucred> peer_of(int fd) {
  ucred out{};
  socklen_t size = sizeof out;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &out, &size) == 0 ? std::optional(out) : std::nullopt;
}

Result<UniqueFd> make_socket_place(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(path + ": too long for the path of a socket", kMend);
  }
  path.copy(address.sun_path, path.size());
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (auto fine = check_folder(folder.empty() ? "." : folder); !fine) {
    return fine.error();
  }
  auto lock = lock_folder(folder.empty() ? "." : folder);
  if (!lock) {
    return lock;
  }
  if (auto cleared = clear(path, address); !cleared) {
    return cleared.error();
  }
  return lock;
}

}  // namespace llamavisor
