#include "cli/completion.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <set>
#include <sstream>

#include "cli_rig.h"
#include "config/schema.h"

using namespace llamavisor;
using llamavisor::testing::captured;
using llamavisor::testing::CliRig;
using llamavisor::testing::LiveRig;
using Words = std::vector<std::string>;

namespace {

std::set<std::string> offered(Words typed) {
  typed.insert(typed.begin(), "__complete");
  std::istringstream lines(CliRig::run(typed).out);
  std::set<std::string> out;
  for (std::string line; std::getline(lines, line);) {
    out.insert(line);
  }
  return out;
}

bool has_all(const std::set<std::string>& found, const std::set<std::string>& wanted) {
  return std::includes(found.begin(), found.end(), wanted.begin(), wanted.end());
}

// What bash itself makes of the script for a typed word, with `words` as what the program offers.
std::string bash_completes(const std::string& words, const std::string& typed, const std::string& folder) {
  const std::string script = "cd '" + folder + "' || exit 1; llamavisor() { printf '" + words + "'; }\n" +
                             completion_script("bash") + "COMP_WORDS=(llamavisor '" + typed +
                             "'); COMP_CWORD=1; _llamavisor; printf '%s,' \"${COMPREPLY[@]}\"";
  const auto run = captured([&] {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execlp("bash", "bash", "--norc", "-c", script.c_str(), nullptr);
      ::_exit(127);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
  });
  CHECK(run.code == 0);
  CHECK(run.err.empty());
  return run.out;
}

}  // namespace

TEST_CASE("every subcommand is offered, and hidden words are not") {
  const CliRig rig;
  CHECK(has_all(offered({}),
                {"serve", "status", "ps", "models", "evict", "pin", "unpin", "limit", "profile", "plugin",
                 "config", "reload", "logs", "events", "doctor", "version", "completion"}));
  CHECK(has_all(offered({"profile"}), {"list", "show", "use"}));
  CHECK(has_all(offered({"plugin"}), {"list", "info", "use", "check"}));
  CHECK(has_all(offered({"config"}), {"show", "check", "path", "set", "reference"}));
  CHECK_FALSE(offered({}).contains("__complete"));
}

TEST_CASE("every subcommand that help names is offered") {
  const CliRig rig;
  std::istringstream help(CliRig::run({"--help"}).out);
  const auto found = offered({});
  bool in_list = false;
  std::size_t commands = 0;
  for (std::string line; std::getline(help, line);) {
    if (in_list && line.starts_with("  ") && line.size() > 2 && line[2] != ' ') {
      ++commands;
      CHECK(found.contains(line.substr(2, line.find(' ', 2) - 2)));
    }
    in_list = in_list || line == "Subcommands:";
  }
  CHECK(commands == 20);
}

TEST_CASE("options are offered one by one, by their long names") {
  const CliRig rig;
  CHECK(offered({"logs"}) == std::set<std::string>{"--help", "--follow", "--lines"});
  CHECK(has_all(offered({"serve"}),
                {"--config", "--profile", "--listen", "--ollama", "--limit", "--log-level"}));
}

TEST_CASE("arguments are offered by what they stand for") {
  LiveRig rig;
  rig.supervisor.answers["models"] = {{"models", boost::json::array{boost::json::object{{"name", "a:7b"}}}}};
  CHECK(offered({"evict"}).contains("a:7b"));
  CHECK_FALSE(offered({"evict", "a:7b"}).contains("a:7b"));
  CHECK(has_all(offered({"profile", "use"}), {"laptop", "desktop", "workstation", "server", "auto"}));
  CHECK(has_all(offered({"plugin", "use"}), {"eviction", "context", "notify"}));
  CHECK(offered({"config", "set"}).contains("memory.limit"));
  CHECK(offered({"config", "set"}).size() >= config_key_names().size());
}

TEST_CASE("each shell has a script that asks the program, another has none") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    CHECK_THAT(completion_script(shell), ContainsSubstring("llamavisor __complete"));
  }
  CHECK(completion_script("csh").empty());
}

TEST_CASE("bash completes a word from what is offered, and files when nothing is") {
  const CliRig rig;
  rig.tree.write("status.toml", "");
  CHECK(bash_completes("status\\nserve\\nstop\\n", "st", rig.tree.root()) == "status,stop,");
  CHECK(bash_completes("serve\\n", "st", rig.tree.root()) == "status.toml,");
  CHECK(bash_completes("a:7b\\n", "zzz", rig.tree.root()) == ",");
}
