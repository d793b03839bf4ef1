// What an eviction call costs: `minimal` gives a constant reason and so shows the call itself, `lru` writes a
// sentence for each model as the shipped policies do.
//   call      from the snapshot in the ABI's layout to the ranking in the host's sink, on the plugin's thread
//   question  as the engine asks: copies the snapshot, goes to the plugin's thread and comes back to the io
//   thread
// Medians and 99th percentiles in microseconds; the first tenth of the calls warms up and does not count.
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "plugin_host/describe.h"
#include "plugin_host/isolated_plugin.h"
#include "plugin_host/plugin_calls.h"
#include "plugin_host/plugin_host.h"
#include "plugin_host/plugin_text.h"
#include "plugin_host/snapshot_view.h"
#include "plugin_host/victim_sink.h"
#include "support/snapshots.h"
#include "support/temp_dir.h"

namespace {

using namespace llamavisor;
using Clock = std::chrono::steady_clock;

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "plugin_call: %s\n", why.c_str());
  std::exit(1);
}

Snapshot machine(std::uint32_t models) {
  std::vector<ModelView> all;
  for (std::uint32_t i = 0; i < models; ++i) {
    all.push_back(test::idle("model-number-" + std::to_string(i) + ":latest", 100U + i, static_cast<int>(i)));
  }
  return test::snapshot_of(1U << 20U, std::move(all));
}

struct Cost {
  double p50_us = 0;
  double p99_us = 0;
};

Cost measure(unsigned calls, const std::function<void()>& call) {
  std::vector<double> us;
  for (unsigned i = 0; i < calls + calls / 10; ++i) {
    const auto begin = Clock::now();
    call();
    const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
    if (i >= calls / 10) {
      us.push_back(took.count());
    }
  }
  std::sort(us.begin(), us.end());
  return {us[us.size() / 2], us[us.size() * 99 / 100]};
}

// The plugin's table and an instance of it, called as the host calls it.
class Direct {
 public:
  Direct(const std::string& path, const std::string& id, bool isolate) {
    const auto described = describe_library(path);
    if (!described) {
      stop(described.error().text());
    }
    if (isolate) {
      info_ = isolated(described->front(), {path, id, std::chrono::seconds(5), std::chrono::seconds(1), {}});
    } else {
      library_ = *PluginLibrary::open(path);
      info_ = library_->plugins().front();
    }
    host_ = {sizeof host_, LLV_ABI_MINOR, this, [](void*, std::int32_t, llv_str) {}, nullptr, nullptr};
    host_.now_ns = [](void*) { return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count()); };
    host_.get_extension = [](void* ctx, const char*) -> const void* {
      return static_cast<Direct*>(ctx)->info_.isolation.get();
    };
    const PluginConfig values = *PluginConfig::check(info_, {});
    const llv_config config = values.table();
    TextOut error;
    if (info_.table.create(&host_, &config, error.get(), &self_) < 0) {
      stop(error.take());
    }
  }
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;
  ~Direct() { info_.table.destroy(self_); }

  Cost cost(const SnapshotView& view, unsigned calls) {
    const auto* role = static_cast<const llv_eviction*>(info_.table.get_role(LLV_ROLE_EVICTION));
    VictimSink sink(view.snapshot());
    return measure(calls, [&] {
      sink.clear();
      llv_victims victims = sink.table();
      slot_.begin();
      TextOut error;
      const std::int32_t code = role->rank(self_, view.get(), 1, &victims, error.get());
      slot_.end();
      if (code < 0 || sink.size() != view.get()->model_count) {
        stop("a call failed: " + error.take());
      }
    });
  }
  void trace(PluginCalls& calls) { slot_.emplace(calls.take(info_.id, "eviction")); }

 private:
  // With the trace that finds a crash out, as in the daemon.
  struct Traced {
    std::optional<PluginCalls::Slot> slot;
    void emplace(PluginCalls::Slot taken) { slot.emplace(std::move(taken)); }
    void begin() {
      if (slot) slot->begin();
    }
    void end() {
      if (slot) slot->end();
    }
  };
  std::shared_ptr<PluginLibrary> library_;
  PluginInfo info_;
  llv_host host_{};
  void* self_ = nullptr;
  Traced slot_;
};

// The whole way through PluginHost and the adapter.
Cost question(const std::string& dir, const std::string& id, bool isolate, const Snapshot& snapshot,
              unsigned calls) {
  boost::asio::io_context io;
  boost::asio::thread_pool workers(1);
  const SystemClock clock;
  PluginHost host(io, workers, clock);
  Settings settings;
  settings.policy.deadline = std::chrono::seconds(1);
  settings.plugins[id]["isolate"] = isolate;
  host.configure({dir}, settings);
  std::shared_ptr<EvictionPolicy> policy;
  host.eviction(id, [&](auto made) { made ? policy = *made : (stop(made.error().text()), nullptr); });
  io.run();
  const Cost out = measure(calls, [&] {
    io.restart();
    policy->rank(snapshot, 1, [&](const auto& ranked) {
      if (!ranked || ranked->size() != snapshot.models.size()) {
        stop("a question failed");
      }
    });
    io.run();
  });
  policy.reset();
  workers.join();
  return out;
}

void row(const char* plugin, const char* mode, const char* what, Cost cost) {
  std::printf("| %s | %s | %s | %.1f | %.1f |\n", plugin, mode, what, cost.p50_us, cost.p99_us);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const auto models = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 100);
  const auto calls = static_cast<unsigned>(argc > 2 ? std::atoi(argv[2]) : 20'000);
  const testing::TempDir run;
  setenv("XDG_RUNTIME_DIR", run.path().c_str(), 1);
  std::vector<BlamedPlugin> blamed;
  const auto traces = PluginCalls::open(run.file("calls"), blamed);
  const Snapshot snapshot = machine(models);
  const SnapshotView view(snapshot);
  std::printf("%u models, %u calls\n\n| plugin | runs | what | p50 us | p99 us |\n|---|---|---|---|---|\n",
              models, calls);
  for (const auto& [id, dir] :
       {std::pair("minimal", LLV_TEST_PLUGIN_DIR), std::pair("lru", LLV_PLUGIN_DIR)}) {
    const std::string path = std::string(dir) + "/" + id + ".so";
    row(id, "in process, no trace", "call", Direct(path, id, false).cost(view, calls));
    Direct traced(path, id, false);
    traced.trace(**traces);
    row(id, "in process", "call", traced.cost(view, calls));
    row(id, "isolated", "call", Direct(path, id, true).cost(view, calls));
    row(id, "in process", "question", question(dir, id, false, snapshot, calls));
    row(id, "isolated", "question", question(dir, id, true, snapshot, calls));
  }
}
