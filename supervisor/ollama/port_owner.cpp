#include "ollama/port_owner.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

// Inodes of the sockets that listen on `port`, from /proc/net/tcp: "sl local rem st ... inode".
void add_listeners(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, skip, inode;
    fields >> slot >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) {
      fields >> skip;
    }
    fields >> inode;
    const std::size_t colon = local.rfind(':');
    if (state == "0A" && colon != std::string::npos &&
        std::stoul(local.substr(colon + 1), nullptr, 16) == port) {
      inodes.insert("socket:[" + inode + "]");
    }
  }
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code ec;
  for (fs::directory_iterator it(process / "fd", ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code gone;
    if (sockets.contains(fs::read_symlink(it->path(), gone).string())) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string describe_port_owner(std::uint16_t port) {
  std::set<std::string> sockets;
  add_listeners("/proc/net/tcp", port, sockets);
  add_listeners("/proc/net/tcp6", port, sockets);
  std::error_code ec;
  for (fs::directory_iterator it("/proc", ec), end; !ec && it != end; it.increment(ec)) {
    const std::string pid = it->path().filename();
    const bool process = std::all_of(pid.begin(), pid.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (process && holds_one_of(it->path(), sockets)) {
      std::string name;
      std::getline(std::ifstream(it->path() / "comm") >> std::ws, name);
      return " by " + name + " (pid " + pid + ")";
    }
  }
  return {};
}

}  // namespace llamavisor
