#include <sys/socket.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "app/loaded_config.h"
#include "cli/cache_check.h"
#include "cli/commands.h"
#include "cli/status_screen.h"
#include "gateway/gateway.h"
#include "memory/proc_reader.h"
#include "memory/psi_trigger.h"
#include "ollama/binary_version.h"
#include "ollama/find_binary.h"
#include "ollama/port_owner.h"
#include "plugin_host/plugin_host.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::chrono::seconds kVersionTime{5};

struct Check {
  std::string name;
  bool fine = false;
  std::string detail;
  std::string mend;
  bool only_a_hint = false;  // works without, a little worse
};

// `version` is what the program says of itself; "" when it could not be asked.
Check check_ollama(const LoadedConfig& config, std::string& version) {
  const auto found = find_ollama(config.settings.server.ollama_path, config.environment);
  if (!found) {
    return {"ollama", false, found.error().message, found.error().hint};
  }
  const auto said = binary_version(*found, config.environment, kVersionTime);
  if (!said) {
    return {"ollama", false, said.error().message, said.error().hint};
  }
  version = *said;
  return {"ollama", !is_too_old(version), *found + ", version " + version,
          "llamavisor is made for Ollama 0.12 and newer: install a newer one", true};
}

Check check_cache(const LoadedConfig& config, const std::string& version) {
  const auto env = child_env({.settings = config.settings,
                              .origins = config.origins,
                              .own = config.environment,
                              .home = state_dir()});
  const auto problem = cache_problem(env, server_era(version));
  return {"KV cache", !problem, problem ? problem->message : "fits flash attention",
          problem ? problem->hint : ""};
}

Check check_port(const LoadedConfig& config, bool running) {
  const auto address = parse_listen(config.listen());
  if (!address) {
    return {"address", false, address.error().message, address.error().hint};
  }
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor probe(io);
  boost::system::error_code ec;
  probe.open(address->endpoint.protocol(), ec);
  probe.set_option(boost::asio::socket_base::reuse_address(true), ec);
  probe.bind(address->endpoint, ec);
  if (!ec || running) {
    return {"address", true, address->text() + (running ? " is served" : " is free"), ""};
  }
  return {"address", false,
          address->text() + ": " + ec.message() + describe_port_owner(address->endpoint.port()),
          "stop it, or choose another with --listen"};
}

Check check_models(const LoadedConfig& config) {
  const std::string dir = config.models_dir();
  std::error_code ec;
  if (!fs::exists(dir, ec)) {
    return {"models folder", true, dir + " is not there yet; the first pull makes it", ""};
  }
  const bool readable =
      access((dir + "/manifests").c_str(), R_OK | X_OK) == 0 || !fs::exists(dir + "/manifests", ec);
  return {"models folder", readable, dir,
          "make it readable for the user that runs llamavisor, or set server.models"};
}

Check check_bus() {
  const char* address = std::getenv("DBUS_SESSION_BUS_ADDRESS");
  std::error_code ec;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const bool bus = (address != nullptr && *address != '\0') ||
                   (runtime != nullptr && fs::exists(std::string(runtime) + "/bus", ec));
  return {"session bus", bus, bus ? "there" : "none: desktop notifications cannot be shown",
          "start llamavisor in the desktop session, or use the command notifier", true};
}

Check check_psi() {
  const auto trigger = PsiTrigger::open();
  return {"memory pressure", trigger.has_value(),
          trigger ? "the kernel wakes us (PSI)" : trigger.error().message,
          "boot with psi=1; until then pressure is noticed at each sample", true};
}

Check check_cgroup() {
  const auto cgroup = ProcReader().cgroup_memory();
  const bool limited = cgroup && cgroup->limit_bytes;
  json::object limit;
  if (limited) {
    limit["limit"] = *cgroup->limit_bytes;
  }
  return {"cgroup", true, limited ? "limited to " + bytes_text(limit, "limit") : "no memory limit", ""};
}

Check check_plugins(const LoadedConfig& config) {
  std::vector<std::string> dirs{plugin_dir()};
  dirs.insert(dirs.end(), config.settings.plugin_dirs.begin(), config.settings.plugin_dirs.end());
  std::size_t usable = 0;
  for (const ListedPlugin& file : list_plugins(dirs)) {
    if (!file.error.empty()) {
      return {"plugins", false, file.error, "see llamavisor plugin check " + file.path};
    }
    usable += file.plugins.size();
  }
  return {"plugins", usable > 0, std::to_string(usable) + " usable in " + dirs.front(),
          "install llamavisor with cmake --install, which brings its plugins"};
}

std::vector<Check> local_checks(const std::string& config_file, bool running) {
  const auto config = LoadedConfig::load(
      {.config_file = config_file, .profile = "", .listen = "", .ollama = "", .limit = "", .log_level = ""});
  if (!config) {
    return {{"configuration", false, config.error().message,
             config.error().hint.empty() ? "mend the lines that are named" : config.error().hint}};
  }
  std::vector<Check> out{{"configuration", config->warnings.empty(),
                          config->warnings.empty() ? "no mistakes" : config->warnings.front(),
                          "see llamavisor config path"}};
  std::string version;
  out.push_back(check_ollama(*config, version));
  for (Check check : {check_cache(*config, version), check_port(*config, running), check_models(*config),
                      check_plugins(*config), check_cgroup(), check_psi(), check_bus()}) {
    out.push_back(std::move(check));
  }
  return out;
}

void add_live_checks(std::vector<Check>& checks) {
  const ControlReply reply = control_get("/v1/doctor");
  const json::value* live = reply.ok() ? reply.body.if_contains("checks") : nullptr;
  for (const json::value& entry : live != nullptr ? live->as_array() : json::array()) {
    const json::object& check = entry.as_object();
    checks.push_back({text_of(check, "name"), check.at("ok").as_bool(), text_of(check, "detail"),
                      text_of(check, "mend"), false});
  }
}

}  // namespace

int run_doctor(bool as_json, const std::string& config_file) {
  const bool running = control_get("/v1/limit").ok();
  std::vector<Check> checks = local_checks(config_file, running);
  checks.push_back({"supervisor", true, running ? "running" : "not running", ""});
  add_live_checks(checks);
  const Terminal terminal = Terminal::detect();
  json::array out;
  bool fine = true;
  for (const Check& check : checks) {
    fine = fine && (check.fine || check.only_a_hint);
    out.push_back(json::object{{"name", check.name},
                               {"ok", check.fine},
                               {"detail", check.detail},
                               {"mend", check.fine ? "" : check.mend}});
    if (!as_json) {
      const std::string word = check.fine          ? terminal.paint("ok  ", "32")
                               : check.only_a_hint ? terminal.paint("hint", "33")
                                                   : terminal.paint("FAIL", "31");
      std::printf("%s  %s: %s\n", word.c_str(), check.name.c_str(), check.detail.c_str());
      if (!check.fine) {
        std::printf("      mend: %s\n", check.mend.c_str());
      }
    }
  }
  if (as_json) {
    print_json({{"ok", fine}, {"checks", std::move(out)}});
  }
  return fine ? kDone : kFailed;
}

}  // namespace llamavisor
