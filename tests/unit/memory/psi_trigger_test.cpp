#include "memory/psi_trigger.h"

#include <unistd.h>

#include "support/catch.h"
#include "support/file_tree.h"

using namespace llamavisor;

TEST_CASE("a pressure trigger asks for a window that unprivileged processes may have") {
  const testing::FileTree tree;
  tree.write("memory", std::string(20, 'x'));
  const auto trigger = PsiTrigger::open(tree.root() + "/memory");
  REQUIRE(trigger.has_value());
  std::string written(20, ' ');
  CHECK(::pread(trigger->fd(), written.data(), written.size(), 0) == 20);
  CHECK(written == std::string("some 150000 2000000\0", 20));
}

TEST_CASE("a kernel without pressure information is an error that says what is lost") {
  const auto trigger = PsiTrigger::open("/nonexistent/memory");
  REQUIRE(trigger.has_error());
  CHECK_THAT(trigger.error().text(), ContainsSubstring("/nonexistent/memory: No such file"));
  CHECK_THAT(trigger.error().text(), ContainsSubstring("at each sample only"));
}

TEST_CASE("the real kernel takes the trigger or says why not") {
  const auto trigger = PsiTrigger::open();
  if (trigger) {
    CHECK(trigger->fd() >= 0);
  } else {
    CHECK_THAT(trigger.error().message, ContainsSubstring("/proc/pressure/memory: "));
  }
}
