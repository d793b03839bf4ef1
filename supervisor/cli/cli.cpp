#include "cli/cli.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

#include "app/serve.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/completion.h"

namespace llamavisor {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 failed, 2 usage, 3 no supervisor is running.\n"
    "Manual: man llamavisor, man llamavisor.toml.";

// The words of the command line, and what is to be run for them.
struct Words {
  std::function<int()> run;
  ServeOptions serve;
  std::string model, limit, name, id, role = "eviction", language = "c++", file, key, value, shell;
  SimulateOptions simulate;
  EstimateOptions estimate;
  std::string older_than;
  std::string config_file;
  bool as_json = false, follow = false, origin = false, env = false;
  unsigned lines = 100;
};

CLI::App* command(CLI::App& parent, Words& words, const char* name, const char* help,
                  std::function<int()> run) {
  CLI::App* out = parent.add_subcommand(name, help);
  out->callback([&words, run = std::move(run)] { words.run = run; });
  return out;
}

void add_json(CLI::App* app, Words& words) {
  app->add_flag("--json", words.as_json, "Print JSON");
}

void add_serve(CLI::App& app, Words& words) {
  CLI::App* serve_command =
      command(app, words, "serve", "Start Ollama behind llamavisor, where you started `ollama serve`",
              [&] { return serve(words.serve); });
  serve_command->add_option("--config", words.serve.config_file,
                            "Read this file instead of the system's and the user's");
  serve_command->add_option("--profile", words.serve.profile,
                            "laptop, desktop, workstation, server, or auto");
  serve_command->add_option("--listen", words.serve.listen,
                            "HOST:PORT for clients (default: OLLAMA_HOST, else 127.0.0.1:11434)");
  serve_command->add_option("--ollama", words.serve.ollama, "Path of the ollama program");
  serve_command->add_option("--limit", words.serve.limit,
                            "Memory for all models together: 12GB, 60% or auto");
  serve_command->add_option("--log-level", words.serve.log_level, "debug, info, warn or error");
}

void add_live(CLI::App& app, Words& words) {
  add_json(
      command(app, words, "status", "The server, the budget, the models and the last eviction on one screen",
              [&] { return run_status(words.as_json); }),
      words);
  add_json(command(app, words, "ps", "Models that are loaded", [&] { return run_ps(words.as_json); }), words);
  add_json(command(app, words, "models", "Installed models: size, forecast, and whether they fit the budget",
                   [&] { return run_models(words.as_json); }),
           words);
  command(app, words, "evict", "Unload a model when its requests have ended",
          [&] { return run_evict(words.model); })
      ->add_option("model", words.model, "Name of the model")
      ->required();
  command(app, words, "pin", "Never evict a model", [&] { return run_pin(words.model, true); })
      ->add_option("model", words.model, "Name of the model")
      ->required();
  command(app, words, "unpin", "Let a model be evicted again", [&] { return run_pin(words.model, false); })
      ->add_option("model", words.model, "Name of the model")
      ->required();
  CLI::App* limit = command(app, words, "limit", "Show the budget, or set and save it",
                            [&] { return run_limit(words.limit, words.as_json); });
  limit->add_option("size", words.limit, "12GB, 60% or auto");
  add_json(limit, words);
  command(app, words, "reload", "Read the configuration again; a broken file changes nothing",
          [] { return run_reload(); });
  CLI::App* logs = command(app, words, "logs", "What the Ollama server wrote",
                           [&] { return run_logs(words.follow, words.lines); });
  logs->add_flag("-f,--follow", words.follow, "Go on with new lines");
  logs->add_option("-n,--lines", words.lines, "How many lines (default 100)");
  CLI::App* events = command(app, words, "events", "What llamavisor did and why",
                             [&] { return run_events(words.follow, words.as_json); });
  events->add_flag("-f,--follow", words.follow, "Go on with new events");
  add_json(events, words);
}

void add_profile(CLI::App& app, Words& words) {
  CLI::App* profile = app.add_subcommand("profile", "Hardware profiles");
  profile->require_subcommand(1);
  add_json(command(*profile, words, "list", "All profiles", [&] { return run_profile_list(words.as_json); }),
           words);
  command(*profile, words, "show", "A profile's values with their reasons",
          [&] { return run_profile_show(words.name); })
      ->add_option("name", words.name, "Name of the profile")
      ->required();
  command(*profile, words, "use", "Use a profile now and from now on",
          [&] { return run_profile_use(words.name); })
      ->add_option("name", words.name, "Name of the profile, or auto")
      ->required();
}

void add_plugin(CLI::App& app, Words& words) {
  CLI::App* plugin = app.add_subcommand("plugin", "Policy and notification plugins");
  plugin->require_subcommand(1);
  add_json(command(*plugin, words, "list", "All plugins; * is in charge",
                   [&] { return run_plugin_list(words.as_json); }),
           words);
  CLI::App* info = command(*plugin, words, "info", "A plugin's roles and keys",
                           [&] { return run_plugin_info(words.name, words.as_json); });
  info->add_option("name", words.name, "Name of the plugin")->required();
  add_json(info, words);
  CLI::App* use = command(*plugin, words, "use", "Put a plugin in charge of a role, now and from now on",
                          [&] { return run_plugin_use(words.role, words.name); });
  use->add_option("role", words.role, "eviction, context or notify")->required();
  use->add_option("name", words.name, "Name of the plugin")->required();
  CLI::App* shadow = command(*plugin, words, "shadow", "Let a second policy answer beside the one in charge",
                             [&] { return run_plugin_shadow(words.role, words.name); });
  shadow->add_option("role", words.role, "eviction")->required();
  shadow->add_option("name", words.name, "Name of the plugin, or off")->required();
  add_json(command(*plugin, words, "compare", "How often the shadow differs, and what each policy costs",
                   [&] { return run_plugin_compare(words.as_json); }),
           words);
  command(*plugin, words, "trust",
          "Use a plugin again that is in quarantine because llamavisor crashed in it",
          [&] { return run_plugin_trust(words.name); })
      ->add_option("name", words.name, "Name of the plugin")
      ->required();
  command(*plugin, words, "check", "Is this file a plugin that can be used?",
          [&] { return run_plugin_check(words.file); })
      ->add_option("file", words.file, "The shared library")
      ->required();
  CLI::App* fresh = command(*plugin, words, "new", "Write a plugin project into a new folder",
                            [&] { return run_plugin_new(words.id, words.role, words.language); });
  fresh->add_option("id", words.id, "Its id and folder: lower-case letters, digits and _")->required();
  fresh->add_option("--role", words.role, "eviction, context or notify (default eviction)")
      ->check(CLI::IsMember({"eviction", "context", "notify"}));
  fresh->add_option("--lang", words.language, "c or c++ (default c++)")->check(CLI::IsMember({"c", "c++"}));
}

void add_config(CLI::App& app, Words& words) {
  CLI::App* config = app.add_subcommand("config", "Configuration");
  config->require_subcommand(1);
  CLI::App* show = command(*config, words, "show", "Effective values", [&] {
    return run_config_show(words.origin, words.env, words.as_json, words.config_file);
  });
  show->add_flag("--origin", words.origin, "Say where each value comes from");
  show->add_flag("--env", words.env, "Show the server's environment instead");
  show->add_option("--config", words.config_file, "Read this file instead of asking the running supervisor");
  add_json(show, words);
  command(*config, words, "check", "Look for mistakes in a file",
          [&] { return run_config_check(words.file); })
      ->add_option("file", words.file, "The TOML file")
      ->required();
  command(*config, words, "path", "Where the files are", [] { return run_config_path(); });
  CLI::App* set = command(*config, words, "set", "Set a key in your file; comments and order stay",
                          [&] { return run_config_set(words.key, words.value, words.config_file); });
  set->add_option("key", words.key, "The key, like memory.limit")->required();
  set->add_option("value", words.value, "The value")->required();
  set->add_option("--config", words.config_file, "Change this file instead of yours");
  command(*config, words, "reference", "Every key with its default and help, as TOML",
          [] { return run_config_reference(); });
}

void add_simulate(CLI::App& app, Words& words) {
  SimulateOptions& to = words.simulate;
  CLI::App* simulate = command(app, words, "simulate", "Try policies and limits on recorded or made requests",
                               [&] { return run_simulate(words.simulate); });
  simulate->add_option("--from", to.from, "A trace file; - is the standard input");
  simulate->add_option("--make", to.make, "A made trace: zipf, day, rag or teams")
      ->check(CLI::IsMember({"zipf", "day", "rag", "teams"}));
  simulate->add_option("--history", to.history, "What llamavisor serve recorded in this time, like 7d");
  CLI::Option* log = simulate->add_option("--ollama-log", to.ollama_log, "Access log of a plain Ollama");
  CLI::Option* ps =
      simulate->add_option("--ollama-ps", to.ollama_ps, "Samples of its /api/ps: see the manual");
  log->needs(ps);
  ps->needs(log);
  simulate->add_option("--seed", to.seed, "Of the made trace (default 1)");
  simulate->add_option("--requests", to.requests, "Of the made trace (default 20000)")
      ->check(CLI::Range(1, 10'000'000));
  simulate->add_option(
      "--policy", to.policies,
      "Eviction plugins, and ollama, ollama-order, ollama-cpu, foresight (default " + to.policies + ")");
  simulate->add_option("--limit", to.limits, "Budgets, like 6GB,8GB (default: the configured one)");
  simulate->add_option("--svg", to.svg, "Draw the seconds of reloading into this file");
  simulate->add_flag("--print-trace", to.print_trace, "Print the trace and simulate nothing");
  simulate->add_flag("--json", to.as_json, "Print JSON");
  CLI::App* history = app.add_subcommand("history", "What was recorded for simulate");
  history->require_subcommand(1);
  command(*history, words, "prune", "Remove what is older than [history] keep_age, and shrink the file", [&] {
    return run_history_prune(words.older_than);
  })->add_option("--older-than", words.older_than, "A time like 7d instead; 0: all of it");
}

void add_estimate(CLI::App& app, Words& words) {
  EstimateOptions& to = words.estimate;
  CLI::App* estimate =
      command(app, words, "estimate", "The memory that a model would take, and whether it fits the budget",
              [&] { return run_estimate(words.estimate); });
  estimate->add_option("model", to.model, "Name of the model, a GGUF file or a manifest file")->required();
  estimate->add_option("--num-ctx", to.num_ctx, "Context in tokens (default: the model's, else the server's)")
      ->check(CLI::Range(1, 1 << 30));
  estimate->add_option("--kv", to.kv, "Type of the KV cache: f16, q8_0 or q4_0 (default: the configured one)")
      ->check(CLI::IsMember({"f16", "q8_0", "q4_0"}));
  estimate->add_option("--parallel", to.parallel, "Requests at once (default: the configured number)")
      ->check(CLI::Range(1, 256));
  estimate->add_flag("--explain", to.explain, "Say what each part is made of");
  estimate->add_flag("--json", to.as_json, "Print JSON");
}

void add_rest(CLI::App& app, Words& words) {
  CLI::App* doctor = command(app, words, "doctor", "Check what llamavisor needs, and say how to mend it",
                             [&] { return run_doctor(words.as_json, words.config_file); });
  doctor->add_option("--config", words.config_file, "Check with this file");
  add_json(doctor, words);
  command(app, words, "version", "Print the version", [] {
    std::puts("llamavisor " LLV_VERSION);
    return kDone;
  });
  command(app, words, "completion", "Print the completion script of a shell",
          [&] {
            const std::string script = completion_script(words.shell);
            std::fputs(script.c_str(), stdout);
            return script.empty() ? kUsage : kDone;
          })
      ->add_option("shell", words.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

// What may come next behind these words: subcommands and options, or names that the arguments stand for.
int complete(CLI::App& app, const std::vector<std::string>& typed) {
  CLI::App* at = &app;
  std::size_t arguments = 0;
  for (const std::string& word : typed) {
    const auto children = at->get_subcommands({});
    const auto it = std::find_if(children.begin(), children.end(),
                                 [&](CLI::App* child) { return child->get_name() == word; });
    CLI::App* next = it == children.end() ? nullptr : *it;
    arguments += next == nullptr && !word.starts_with("-") ? 1U : 0U;
    at = next == nullptr ? at : next;
  }
  for (CLI::App* child : at->get_subcommands({})) {
    if (!child->get_name().starts_with("__")) {
      std::puts(child->get_name().c_str());
    }
  }
  std::size_t position = 0;
  for (const CLI::Option* option : at->get_options()) {
    if (!option->get_positional()) {
      for (const std::string& name : option->get_lnames()) {
        std::printf("--%s\n", name.c_str());
      }
    } else if (position++ == arguments) {
      const std::string parent = at->get_parent() == nullptr ? "" : at->get_parent()->get_name();
      const std::string kind = option->get_name() == "name" ? parent : option->get_name();
      std::fputs(completion_values(kind).c_str(), stdout);
    }
  }
  return kDone;
}

// CLI11 only says that a subcommand is missing: name the nearest one.
std::string nearest_command(CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::App* child : app.get_subcommands({})) {
    names.push_back(child->get_name());
  }
  const std::string typed = argc > 1 ? argv[1] : "";
  const bool known = std::find(names.begin(), names.end(), typed) != names.end();
  return known || typed.empty() || typed.starts_with("-") ? "" : closest(typed, names);
}

// Sets words.run, or says why the program ends here: help, a version, completions, or a line that is wrong.
// The tables of CLI11 end with this call; a supervisor runs for months without them.
std::optional<int> parse(int argc, char** argv, Words& words) {
  CLI::App app("llamavisor owns an Ollama server and keeps its models inside a memory budget", "llamavisor");
  app.footer(kFooter);
  app.set_version_flag("--version", "llamavisor " LLV_VERSION);
  app.require_subcommand(1);
  add_serve(app, words);
  add_live(app, words);
  add_profile(app, words);
  add_plugin(app, words);
  add_config(app, words);
  add_simulate(app, words);
  add_estimate(app, words);
  add_rest(app, words);
  if (argc > 1 && std::string(argv[1]) == "__complete") {
    return complete(app, {argv + 2, argv + argc});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const std::string near = nearest_command(app, argc, argv);
    std::fprintf(stderr, "llamavisor: %s\n",
                 near.empty()
                     ? error.what()
                     : (std::string(argv[1]) + " is not a command; did you mean " + near + "?").c_str());
    std::fputs("Run with --help for more information.\n", stderr);
    return kUsage;
  }
  return std::nullopt;
}

}  // namespace

int run_cli(int argc, char** argv) {
  Words words;
  const std::optional<int> ended = parse(argc, argv, words);
  return ended ? *ended : words.run();
}

}  // namespace llamavisor
