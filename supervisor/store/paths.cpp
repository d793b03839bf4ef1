#include "store/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Without HOME (a system service) the one of the user database.
std::string home() {
  std::string set = variable("HOME");
  if (set.starts_with('/')) {
    return set;
  }
  std::array<char, 16384> text{};
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(geteuid(), &entry, text.data(), text.size(), &found);
  return found != nullptr && found->pw_dir[0] == '/' ? found->pw_dir : "";
}

std::string xdg(const char* name, const char* below_home) {
  const std::string set = variable(name);
  if (set.starts_with('/')) {  // the specification: relative ones are to be ignored
    return set + "/llamavisor";
  }
  return home() + below_home + "/llamavisor";
}

fs::path prefix() {
  std::error_code ec;
  return fs::read_symlink("/proc/self/exe", ec).parent_path().parent_path();
}

}  // namespace

std::string system_config_path() {
  return "/etc/llamavisor/llamavisor.toml";
}
std::string user_config_path() {
  return xdg("XDG_CONFIG_HOME", "/.config") + "/llamavisor.toml";
}
std::string state_dir() {
  return xdg("XDG_STATE_HOME", "/.local/state");
}
std::string history_path() {
  return state_dir() + "/history.db";
}
std::string overrides_path() {
  return state_dir() + "/overrides.toml";
}

std::string runtime_dir() {
  const std::string set = variable("XDG_RUNTIME_DIR");
  if (set.starts_with('/')) {
    return set + "/llamavisor";
  }
  return geteuid() == 0 ? "/run/llamavisor" : "/tmp/llamavisor-" + std::to_string(geteuid());
}

std::string control_socket_path() {
  const std::string set = variable("LLAMAVISOR_SOCKET");
  return set.empty() ? runtime_dir() + "/control.sock" : set;
}

std::string plugin_dir() {
  return (prefix() / "lib/llamavisor/plugins").string();
}
std::string profile_dir() {
  return (prefix() / "share/llamavisor/profiles").string();
}
std::string template_dir() {
  return (prefix() / "share/llamavisor-sdk/template").string();
}
std::string install_prefix() {
  return prefix().string();
}

}  // namespace llamavisor
