#include "memory/monitor.h"

#include <unistd.h>

#include "support/catch.h"
#include "support/file_tree.h"

using namespace llamavisor;

namespace {

const std::string kHex(64, 'b');

std::string runner_cmdline() {
  std::string out;
  for (const std::string& argument : {std::string("llama-server"), std::string("--model"),
                                      "/m/blobs/sha256-" + kHex, std::string("--port"), std::string("4")}) {
    out += argument + '\0';
  }
  return out;
}

// A server (5) with a discovery helper (6) and a runner (7), which a helper process of the server (8) forked.
struct Machine {
  testing::FileTree proc;
  testing::FileTree cgroup;
  ManualClock clock;

  explicit Machine(bool kernel_lists_children) {
    const auto children = [&](const char* list) { return std::string(kernel_lists_children ? list : "-"); };
    proc.write("meminfo", "MemTotal:  1000 kB\nMemAvailable:  400 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    proc.write_process(1, 0, 1, "init", children("5 9 "));
    proc.write_process(5, 1, 50, "ollama", children("6 8 "));
    proc.write_process(6, 5, 60, "gpu-discover", children(""));
    proc.write_process(8, 5, 61, "sh", children("7"));
    proc.write_process(7, 8, 70, runner_cmdline(), children(""));
    proc.write_process(9, 1, 90, runner_cmdline(), children(""));  // another server's
    proc.write("5/status", "RssAnon: 10 kB\nRssFile: 20 kB\nRssShmem: 1 kB\nVmSwap: 3 kB\n");
    proc.write("7/status", "RssAnon: 100 kB\nRssFile: 30 kB\nRssShmem: 5 kB\nVmSwap: 7 kB\n");
    proc.write("7/smaps_rollup", "0-1 ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss: 110 kB\nPss_Anon: 1 kB\n");
  }
  [[nodiscard]] MemorySample sample(std::optional<int> server = 5) const {
    return take_sample(ProcReader(proc.root(), cgroup.root()), clock, server);
  }
};

}  // namespace

TEST_CASE("a sample joins the runners of this server, and only of this one, with their blobs") {
  const Machine machine(GENERATE(true, false));
  const MemorySample sample = machine.sample();
  CHECK(sample.at == machine.clock.now());
  CHECK(sample.server_rss_bytes == 31U * 1024);
  REQUIRE(sample.runners.size() == 1);
  const RunnerSample& runner = sample.runners[0];
  CHECK(runner.pid == 7);
  CHECK(runner.start_ticks == 70);
  CHECK(runner.blob_digest == "sha256:" + kHex);
  CHECK(runner.footprint_bytes == 112U * 1024);
  CHECK(runner.file_bytes == 30U * 1024);
  CHECK(runner.pss_bytes == 110U * 1024);
}

TEST_CASE("the machine's figures are told apart from those that are missing") {
  const Machine machine(true);
  MemorySample sample = machine.sample();
  CHECK(sample.total_bytes == 1000U * 1024);
  CHECK(sample.available_bytes == 400U * 1024);
  CHECK(sample.swap_total_bytes == 0U);  // there is none, and that is known
  CHECK_FALSE(sample.psi_memory.has_value());
  CHECK_FALSE(sample.cgroup.has_value());
  machine.proc.write("pressure/memory",
                     "some avg10=2.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00 avg60=0.00\n");
  machine.proc.write("meminfo", "MemTotal:  1000 kB\n");
  sample = machine.sample();
  CHECK(sample.psi_memory->some_avg10 == Approx(2.5));
  CHECK(sample.psi_memory->full_avg10 == Approx(1.0));
  CHECK_FALSE(sample.available_bytes.has_value());
  CHECK_FALSE(sample.swap_total_bytes.has_value());
}

TEST_CASE("unreadable figures of a runner are absent and the runner stays listed") {
  const Machine machine(true);
  machine.proc.remove("7/status");
  machine.proc.remove("7/smaps_rollup");
  const MemorySample sample = machine.sample();
  REQUIRE(sample.runners.size() == 1);
  CHECK_FALSE(sample.runners[0].footprint_bytes.has_value());
  CHECK_FALSE(sample.runners[0].file_bytes.has_value());
  CHECK_FALSE(sample.runners[0].pss_bytes.has_value());
}

TEST_CASE("without a server or without /proc the sample is empty and nothing fails") {
  const Machine machine(true);
  CHECK(machine.sample(std::nullopt).runners.empty());
  CHECK_FALSE(machine.sample(std::nullopt).server_rss_bytes.has_value());
  CHECK(machine.sample(4711).runners.empty());
  const MemorySample none = take_sample(ProcReader("/nonexistent", "/nonexistent"), machine.clock, 5);
  CHECK_FALSE(none.total_bytes.has_value());
  CHECK(none.runners.empty());
}

TEST_CASE("the real /proc tells this process from another one with its pid") {
  const ProcReader proc;
  const auto started = proc.start_ticks(::getpid());
  REQUIRE(started);
  CHECK(process_is(::getpid(), *started));
  CHECK_FALSE(process_is(::getpid(), *started + 1));
  CHECK(proc.memory_of(::getpid()).footprint_bytes().value_or(0) > 0);
  CHECK(read_available_bytes(proc).value_or(0) > 0);
}
