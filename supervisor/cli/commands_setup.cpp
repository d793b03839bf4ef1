#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "app/loaded_config.h"
#include "app/status_json.h"
#include "base/file.h"
#include "cli/cache_check.h"
#include "cli/commands.h"
#include "cli/status_screen.h"
#include "config/editor.h"
#include "config/reference.h"
#include "plugin_host/trial.h"
#include "store/overrides.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

namespace json = boost::json;
constexpr std::size_t kMaxFileBytes = 1U << 20U;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int fail(const Error& error, int code) {
  std::fprintf(stderr, "llamavisor: %s\n", error.text().c_str());
  return code;
}

std::vector<std::string> plugin_dirs() {
  std::vector<std::string> out{plugin_dir()};
  if (const auto config = LoadedConfig::load({})) {
    out.insert(out.end(), config->settings.plugin_dirs.begin(), config->settings.plugin_dirs.end());
  }
  return out;
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) {
    out += (out.empty() ? "" : ", ") + item;
  }
  return out;
}

void print_plugin(const PluginInfo& plugin) {
  print(plugin.id + " " + plugin.version + " (" + joined(plugin.roles) + ")\n  " + plugin.summary + "\n  " +
        plugin.path + "\n");
  for (const PluginKey& key : plugin.keys) {
    print("  [plugins." + plugin.id + "] " + key.name +
          (key.has_default ? " = " + key.default_value : " (no default)") + "\n" +
          wrapped(key.help, 78, "      "));
  }
}

// The server's environment under that file and the profile that it asks for.
std::vector<EnvEntry> server_env_with(const ConfigLayer& file) {
  const std::string name = top_level_text(file.text, "profile");
  const std::string wanted = name.empty() || name == "auto" ? pick_profile(machine_memory_bytes()) : name;
  std::vector<ConfigLayer> layers;
  for (const ProfileInfo& profile : list_profiles()) {
    if (profile.name == wanted) {
      layers.push_back({"profile " + wanted, profile.text});
    }
  }
  layers.push_back(file);
  ConfigResult result = load_layers(layers);
  Origins origins;
  for (const auto& [key, value] : result.values) {
    origins[key] = value.origin;
  }
  const Environment own = own_environment();
  adopt_environment(result.settings, origins, own);
  return child_env({.settings = result.settings, .origins = origins, .own = own, .home = state_dir()});
}

// What waits for a restart, said after a change that was saved.
void print_changes(const ControlReply& reply) {
  const json::value* waits = reply.body.if_contains("waits_for_restart");
  for (const json::value& key : waits != nullptr && waits->is_array() ? waits->as_array() : json::array()) {
    print(std::string(key.as_string()) + " waits for a restart of llamavisor.\n");
  }
}

}  // namespace

int run_profile_list(bool as_json) {
  const ControlReply reply = control_get("/v1/profiles");
  const std::string current = reply.ok() ? text_of(reply.body, "current") : "";
  json::array out;
  std::vector<std::vector<std::string>> rows{{"", "PROFILE", "LIMIT", "FOR"}};
  for (const ProfileInfo& profile : list_profiles()) {
    out.push_back(json::object{{"name", profile.name},
                               {"limit", profile.limit},
                               {"description", profile.description},
                               {"current", profile.name == current}});
    rows.push_back({profile.name == current ? "*" : "", profile.name, profile.limit, profile.description});
  }
  if (as_json) {
    return print_json({{"current", current}, {"profiles", std::move(out)}});
  }
  print(table(rows) + "\nauto picks " + pick_profile(machine_memory_bytes()) + " on this machine.\n");
  return kDone;
}

int run_profile_show(const std::string& name) {
  const std::string wanted = name == "auto" ? pick_profile(machine_memory_bytes()) : name;
  for (const ProfileInfo& profile : list_profiles()) {
    if (profile.name == wanted) {
      print(profile.text);
      return kDone;
    }
  }
  return fail(Error("there is no profile named " + name, "see llamavisor profile list"), kUsage);
}

int run_profile_use(const std::string& name) {
  const ControlReply reply = control_post("/v1/profile", {{"name", name}});
  if (!reply.running) {
    const auto possible = LoadedConfig::load(
        {.config_file = "", .profile = name, .listen = "", .ollama = "", .limit = "", .log_level = ""});
    if (!possible) {
      return fail(possible.error(), kUsage);
    }
    const auto saved =
        change_overrides(overrides_path(), {{"profile", to_toml(ConfigValue(name))}, {"memory.limit", ""}});
    if (!saved) {
      return fail(saved.error(), kFailed);
    }
    print("Profile " + name + " is saved; it applies when llamavisor is started.\n");
    return kDone;
  }
  if (!reply.ok()) {
    return llamavisor::fail(reply);
  }
  print("Profile " + text_of(reply.body, "name") + " is in force; the budget is " +
        bytes_text(reply.body, "limit_bytes") + ".\n");
  print_changes(reply);
  return kDone;
}

int run_plugin_list(bool as_json) {
  const ControlReply reply = control_get("/v1/plugins");
  if (reply.ok()) {
    if (as_json) {
      return print_json(reply.body);
    }
    std::vector<std::vector<std::string>> rows{{"", "PLUGIN", "ROLE", "VERSION", "WHAT IT DOES"}};
    for (const json::value& entry : reply.body.at("plugins").as_array()) {
      const json::object& plugin = entry.as_object();
      const bool usable = plugin.contains("id");
      rows.push_back({plugin.at("in_charge").as_bool() ? "*" : "",
                      usable ? text_of(plugin, "id") : "(not usable)", text_of(plugin, "role"),
                      text_of(plugin, "version"),
                      usable && text_of(plugin, "state") == "ok" ? text_of(plugin, "summary")
                      : usable ? "(in quarantine) " + text_of(plugin, "detail")
                               : text_of(plugin, "detail")});
    }
    print(table(rows));
    return kDone;
  }
  json::array out;
  std::vector<std::vector<std::string>> rows{{"PLUGIN", "ROLE", "VERSION", "WHAT IT DOES"}};
  for (const ListedPlugin& file : list_plugins(plugin_dirs())) {
    if (!file.error.empty()) {
      rows.push_back({"(not usable)", "-", "-", file.error});
      out.push_back(json::object{{"path", file.path}, {"detail", file.error}});
    }
    for (const PluginInfo& plugin : file.plugins) {
      rows.push_back({plugin.id, joined(plugin.roles), plugin.version, plugin.summary});
      out.push_back(plugin_json(plugin));
    }
  }
  if (as_json) {
    return print_json({{"plugins", std::move(out)}});
  }
  print(table(rows));
  return kDone;
}

int run_plugin_info(const std::string& name, bool as_json) {
  for (const ListedPlugin& file : list_plugins(plugin_dirs())) {
    for (const PluginInfo& plugin : file.plugins) {
      if (plugin.id == name) {
        if (as_json) {
          return print_json(plugin_json(plugin));
        }
        print_plugin(plugin);
        return kDone;
      }
    }
  }
  return fail(Error("no plugin named " + name + " in " + joined(plugin_dirs()), "see llamavisor plugin list"),
              kUsage);
}

int run_plugin_use(const std::string& role, const std::string& name) {
  const ControlReply reply = control_post("/v1/plugin/use", {{"role", role}, {"name", name}});
  if (!reply.ok()) {
    return llamavisor::fail(reply);
  }
  print("The " + role + " role is played by " + name + " now, and after a restart.\n");
  return kDone;
}

namespace {

int check_plugin(const std::string& file) {
  const auto config = LoadedConfig::load({});
  const auto plugins =
      check_plugin_file(std::filesystem::absolute(file).string(), config ? config->settings : Settings{});
  if (!plugins) {
    return fail(plugins.error(), kFailed);
  }
  for (const CheckedPlugin& plugin : *plugins) {
    print_plugin(plugin.info);
    print(plugin.untried.empty() ? "  An instance was made and tried.\n"
                                 : "  It was loaded but not tried: " + plugin.untried + "\n");
  }
  print("It can be used: put it into one of " + joined(plugin_dirs()) + "\n");
  return kDone;
}

}  // namespace

// A child tries it: a plugin that crashes takes only the child along.
int run_plugin_check(const std::string& file) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int code = check_plugin(file);
    std::fflush(nullptr);
    _exit(code);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    return fail(Error("cannot start a process to try it: " + std::string(std::strerror(errno))), kFailed);
  }
  return WIFEXITED(status)
             ? WEXITSTATUS(status)
             : fail(Error(file + ": it crashed when it was tried: signal " +
                          std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")"),
                    kFailed);
}

int run_config_show(bool origin, bool env, bool as_json, const std::string& config_file) {
  ControlReply reply = config_file.empty() ? control_get("/v1/config") : ControlReply{};
  if (!reply.ok()) {
    const auto config = LoadedConfig::load({.config_file = config_file,
                                            .profile = "",
                                            .listen = "",
                                            .ollama = "",
                                            .limit = "",
                                            .log_level = ""});
    if (!config) {
      return fail(config.error(), kUsage);
    }
    reply.body = config_json(*config, 0, config->settings.context.default_num_ctx, false);
  }
  if (as_json) {
    return print_json(reply.body);
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& entry : reply.body.at(env ? "env" : "values").as_array()) {
    const json::object& value = entry.as_object();
    const std::string line =
        text_of(value, env ? "name" : "key") + (env ? "=" : " = ") + text_of(value, "value");
    rows.push_back(origin || env ? std::vector{line, "# " + text_of(value, "origin")} : std::vector{line});
  }
  print(table(rows));
  return kDone;
}

int run_config_check(const std::string& file) {
  const std::string path = std::filesystem::absolute(file).string();
  const auto text = read_file(path, kMaxFileBytes);
  if (!text) {
    return fail(text.error(), kUsage);
  }
  ConfigResult result = load_layers({{path, *text}});
  if (result.errors.empty()) {
    std::vector<std::string> dirs{plugin_dir()};
    dirs.insert(dirs.end(), result.settings.plugin_dirs.begin(), result.settings.plugin_dirs.end());
    for (const std::string& mistake : check_plugin_tables(dirs, result.settings)) {
      result.errors.push_back(path + ": " + mistake);
    }
  }
  for (const std::string& error : result.errors) {
    std::fprintf(stderr, "%s\n", error.c_str());
  }
  if (!result.errors.empty()) {
    return kUsage;
  }
  if (const auto problem = cache_problem(server_env_with({path, *text}), ServerEra::unknown)) {
    std::fprintf(stderr, "%s: warning: %s\n", path.c_str(), problem->text().c_str());
  }
  print(path + ": no mistakes\n");
  return kDone;
}

int run_config_path() {
  for (const std::string& path : {system_config_path(), user_config_path(), overrides_path()}) {
    std::error_code ec;
    print(path + (std::filesystem::exists(path, ec) ? "\n" : "  (not there)\n"));
  }
  return kDone;
}

int run_config_set(const std::string& key, const std::string& value, const std::string& config_file) {
  const std::string path = config_file.empty() ? user_config_path() : config_file;
  std::error_code ec;
  const auto text = std::filesystem::exists(path, ec) ? read_file(path, kMaxFileBytes) : ok(std::string());
  if (!text) {
    return fail(text.error(), kFailed);
  }
  const auto changed = set_config_key(*text, key, value);
  if (!changed) {
    return fail(changed.error(), kUsage);
  }
  if (const auto written = write_file_atomically(path, *changed); !written) {
    return fail(written.error(), kFailed);
  }
  const ConfigKey* known = find_config_key(key);
  print(path + ": " + key + " is set; it applies " +
        (known == nullptr || known->live ? "with llamavisor reload.\n" : "after a restart of llamavisor.\n"));
  return kDone;
}

int run_config_reference() {
  print(reference_toml());
  return kDone;
}

}  // namespace llamavisor
