#include "memory/cgroup.h"

#include "support/catch.h"
#include "support/file_tree.h"

using namespace llamavisor;

namespace {

struct Machine {
  testing::FileTree proc;
  testing::FileTree mount;
  explicit Machine(const std::string& own) { proc.write("self/cgroup", own); }
  [[nodiscard]] std::optional<CgroupMemory> read() const {
    return read_cgroup_memory(proc.root(), mount.root());
  }
};

}  // namespace

TEST_CASE("the tightest limit on the way up counts, with what is in use there") {
  const Machine machine("0::/user.slice/app.scope\n");
  machine.mount.write("user.slice/app.scope/memory.max", "4000\n");
  machine.mount.write("user.slice/app.scope/memory.current", "100\n");
  machine.mount.write("user.slice/memory.max", "3000\n");
  machine.mount.write("user.slice/memory.current", "2500\n");
  const auto read = machine.read();
  REQUIRE(read);
  CHECK(read->limit_bytes == 3000U);
  CHECK(read->current_bytes == 2500U);
}

TEST_CASE("a group without a limit has no limit, and its own use") {
  const Machine machine("0::/a/b\n");
  machine.mount.write("a/b/memory.max", "max\n");
  machine.mount.write("a/b/memory.current", "100\n");
  machine.mount.write("a/memory.max", "max\n");
  machine.mount.write("a/memory.current", "200\n");
  const auto read = machine.read();
  REQUIRE(read);
  CHECK_FALSE(read->limit_bytes.has_value());
  CHECK(read->current_bytes == 100U);
}

TEST_CASE("a container sees its limit at the root of the mount") {
  const Machine machine("0::/\n");
  machine.mount.write("memory.max", "2147483648\n");
  CHECK(machine.read()->limit_bytes == 2147483648U);
  const Machine outside("0::/../../other\n");
  outside.mount.write("memory.max", "5\n");
  CHECK(outside.read()->limit_bytes == 5U);
}

TEST_CASE("version 1 is read where the memory controller is mounted that way") {
  const Machine machine("5:cpu,cpuacct:/x\n4:memory:/box/app\n0::/\n");
  machine.mount.write("memory/memory.limit_in_bytes", "9223372036854771712\n");  // no limit
  machine.mount.write("memory/box/memory.limit_in_bytes", "1000\n");
  machine.mount.write("memory/box/memory.usage_in_bytes", "400\n");
  machine.mount.write("memory/box/app/memory.limit_in_bytes", "9223372036854771712\n");
  const auto read = machine.read();
  REQUIRE(read);
  CHECK(read->limit_bytes == 1000U);
  CHECK(read->current_bytes == 400U);
}

TEST_CASE("without a memory controller there is no answer, whatever /proc says") {
  for (const char* own : {"", "0::/\n", "0::/a/b\n", "0::a\n", "0::", "::\n", "nonsense\n", "4:cpu:/x\n"}) {
    const Machine machine(own);
    CHECK_FALSE(machine.read().has_value());
  }
}
