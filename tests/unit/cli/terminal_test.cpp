#include "cli/terminal.h"

#include <pty.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "support/captured.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace llamavisor;
using llamavisor::testing::captured;
using llamavisor::testing::ScopedEnvironment;

namespace {

// Is there colour when stdout is a terminal? The descriptor is put back before anything is printed.
bool colour_on_a_terminal() {
  int ours = -1;
  int theirs = -1;
  REQUIRE(::openpty(&ours, &theirs, nullptr, nullptr, nullptr) == 0);
  const UniqueFd close_ours(ours);
  const UniqueFd close_theirs(theirs);
  const auto run = captured([&] {
    ::dup2(theirs, STDOUT_FILENO);
    return Terminal::detect().colour ? 1 : 0;
  });
  return run.code == 1;
}

}  // namespace

TEST_CASE("a terminal gets colour, unless NO_COLOR or TERM say no") {
  ScopedEnvironment environment;
  environment.set("NO_COLOR", std::nullopt);
  environment.set("TERM", "xterm-256color");
  CHECK(colour_on_a_terminal());
  environment.set("NO_COLOR", "1");
  CHECK_FALSE(colour_on_a_terminal());
  environment.set("NO_COLOR", "");  // only a value counts
  CHECK(colour_on_a_terminal());
  environment.set("TERM", "dumb");
  CHECK_FALSE(colour_on_a_terminal());
}

TEST_CASE("what is no terminal gets no colour") {
  ScopedEnvironment environment;
  environment.set("NO_COLOR", std::nullopt);
  environment.set("TERM", "xterm-256color");
  CHECK(captured([] { return Terminal::detect().colour ? 1 : 0; }).code == 0);
}
