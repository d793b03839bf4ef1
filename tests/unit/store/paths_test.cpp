#include "store/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <filesystem>

#include "support/catch.h"
#include "support/environment.h"

using namespace llamavisor;
using llamavisor::testing::ScopedEnvironment;

namespace {

struct Home : ScopedEnvironment {
  Home() {
    set("HOME", "/home/ada");
    for (const char* name : {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "LLAMAVISOR_SOCKET"}) {
      set(name, std::nullopt);
    }
  }
};

}  // namespace

TEST_CASE("the XDG folders are used when they are set") {
  Home home;
  home.set("XDG_CONFIG_HOME", "/c");
  home.set("XDG_STATE_HOME", "/s");
  home.set("XDG_RUNTIME_DIR", "/r");
  CHECK(user_config_path() == "/c/llamavisor/llamavisor.toml");
  CHECK(overrides_path() == "/s/llamavisor/overrides.toml");
  CHECK(control_socket_path() == "/r/llamavisor/control.sock");
}

TEST_CASE("without them their defaults below the home folder are used") {
  const Home home;
  CHECK(user_config_path() == "/home/ada/.config/llamavisor/llamavisor.toml");
  CHECK(state_dir() == "/home/ada/.local/state/llamavisor");
  const std::string own = geteuid() == 0 ? "/run/llamavisor" : "/tmp/llamavisor-" + std::to_string(geteuid());
  CHECK(runtime_dir() == own);
}

TEST_CASE("a relative XDG folder is ignored, as the specification says") {
  Home home;
  for (const char* value : {"c", "./c", ""}) {
    home.set("XDG_CONFIG_HOME", value);
    home.set("XDG_RUNTIME_DIR", value);
    CHECK(user_config_path() == "/home/ada/.config/llamavisor/llamavisor.toml");
    CHECK(std::filesystem::path(runtime_dir()).is_absolute());
  }
}

TEST_CASE("without HOME the user database says where home is") {
  Home home;
  const passwd* user = getpwuid(geteuid());
  REQUIRE(user != nullptr);
  for (const auto& value :
       {std::optional<std::string>(), std::optional<std::string>(""), std::optional<std::string>("here")}) {
    home.set("HOME", value);
    CHECK(state_dir() == std::string(user->pw_dir) + "/.local/state/llamavisor");
  }
}

TEST_CASE("LLAMAVISOR_SOCKET names the socket itself") {
  Home home;
  home.set("LLAMAVISOR_SOCKET", "/x/y.sock");
  CHECK(control_socket_path() == "/x/y.sock");
  home.set("LLAMAVISOR_SOCKET", "");
  CHECK(control_socket_path() == runtime_dir() + "/control.sock");
}

TEST_CASE("plugins and profiles are found relative to the program") {
  const auto prefix = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  CHECK(plugin_dir() == prefix / "lib/llamavisor/plugins");
  CHECK(profile_dir() == prefix / "share/llamavisor/profiles");
}
