// Whom the next start blames for the end of this one: children that end in each way.
#include "plugin_host/plugin_calls.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "plugin_host/call_thread.h"
#include "support/results.h"
#include "support/temp_dir.h"

using namespace llamavisor;

namespace {

std::shared_ptr<PluginCalls> open_calls(const std::string& path, std::vector<BlamedPlugin>& blamed) {
  auto calls = PluginCalls::open(path, blamed);
  REQUIRE(calls);
  return *calls;
}

// A supervisor that lives in a child and ends as `life` does.
std::vector<BlamedPlugin> after(const std::function<void(PluginCalls&)>& life) {
  const testing::TempDir dir;
  const std::string path = dir.file("state/plugin_calls");
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    for (const int signal : {SIGSEGV, SIGABRT}) {
      ::signal(signal, SIG_DFL);  // the test program's own handlers would report it as theirs
    }
    std::vector<BlamedPlugin> ignored;
    auto calls = PluginCalls::open(path, ignored);
    life(**calls);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::vector<BlamedPlugin> blamed;
  open_calls(path, blamed);
  std::vector<BlamedPlugin> again;
  open_calls(path, again);
  CHECK(again.empty());  // blamed once
  return blamed;
}

}  // namespace

TEST_CASE("a fatal signal is blamed on the plugin on whose thread it came, and on no other") {
  const auto blamed = after([](PluginCalls& calls) {
    auto hung = calls.take("hung", "eviction");
    auto bad = calls.take("bad", "context");
    hung.begin();
    bad.begin();
    ::raise(SIGSEGV);
  });
  REQUIRE(blamed.size() == 1);
  CHECK(blamed[0].id == "bad");
  CHECK(blamed[0].what == "llamavisor was ended by signal 11 (Segmentation fault) inside a call to it");
}

TEST_CASE("a fault on the thread of an instance is noted, too", "[zoo]") {
  const auto blamed = after([](PluginCalls& calls) {
    auto bad = calls.take("bad", "eviction");
    const auto thread = CallThread::start();
    thread->post([&bad] {
      bad.begin();
      *static_cast<volatile int*>(nullptr) = 1;
    });
    ::sleep(10);  // ended by the fault long before
  });
  REQUIRE(blamed.size() == 1);
  CHECK(blamed[0].what == "llamavisor was ended by signal 11 (Segmentation fault) inside a call to it");
}

TEST_CASE("a crash of our own is blamed on no plugin, even when one hangs at the time") {
  CHECK(after([](PluginCalls& calls) {
          auto done = calls.take("done", "eviction");
          done.begin();
          done.end();
          std::abort();
        }).empty());
  CHECK(after([](PluginCalls& calls) {
          auto hung = calls.take("hung", "eviction");
          hung.begin();
          auto other = calls.take("other", "eviction");
          other.begin();
          other.end();  // this thread is in no call any more
          std::abort();
        }).empty());
}

TEST_CASE("without a signal the policies inside a call are blamed, and no notifier is") {
  const auto blamed = after([](PluginCalls& calls) {
    auto policy = calls.take("policy", "eviction");
    auto notifier = calls.take("notifier", "notify");
    auto idle = calls.take("idle", "context");
    policy.begin();
    notifier.begin();
    ::_exit(3);
  });
  REQUIRE(blamed.size() == 1);
  CHECK(blamed[0].id == "policy");
  CHECK(blamed[0].what == "llamavisor ended unexpectedly while a call to it went on");
  CHECK(after([](PluginCalls& calls) {
          auto policy = calls.take("policy", "eviction");
          policy.begin();
          ::raise(SIGKILL);
        }).size() == 1);
}

TEST_CASE("after a clean end nobody is blamed, whatever hangs") {
  CHECK(after([](PluginCalls& calls) {
          auto hung = calls.take("hung", "eviction");
          hung.begin();
          calls.end_cleanly();
        }).empty());
}

TEST_CASE("a place is free again when its instance is gone, and too many instances are not remembered") {
  const auto blamed = after([](PluginCalls& calls) {
    for (int i = 0; i < 1000; ++i) {
      const auto gone = calls.take("gone", "eviction");
    }
    std::vector<PluginCalls::Slot> many;
    for (int i = 0; i < 200; ++i) {
      many.push_back(calls.take("p" + std::to_string(i), "eviction"));
      many.back().begin();
    }
    ::_exit(0);
  });
  CHECK(blamed.size() == 48);
  CHECK(blamed.front().id == "p0");
}

TEST_CASE("one supervisor at a time has the file, and a strange one is started anew") {
  const testing::TempDir dir;
  std::vector<BlamedPlugin> blamed;
  {
    const auto first = open_calls(dir.file("calls"), blamed);
    CHECK_FALSE(PluginCalls::open(dir.file("calls"), blamed));
  }
  FILE* file = std::fopen(dir.file("calls").c_str(), "w");
  std::fputs("strange", file);
  std::fclose(file);
  open_calls(dir.file("calls"), blamed);
  CHECK(blamed.empty());
}
