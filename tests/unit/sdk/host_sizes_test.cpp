// Every plugin of this tree against two other hosts: one whose tables end where those of 1.0 ended, with a
// page behind them that cannot be read, and one whose tables are longer than today's.
#include "abi/golden_1_0.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "plugin_host/plugin_config.h"
#include "support/results.h"
#include "support/temp_dir.h"

using namespace llamavisor;

namespace {

enum class Host { of_1_0, of_tomorrow };
constexpr std::size_t kGrowth = 24;
constexpr unsigned char kJunk =
    0xff;  // as flags and known bits it says everything, so that who reads it is seen

// Memory that ends at a page without any access.
class Fenced {
 public:
  explicit Fenced(std::size_t bytes) : bytes_(bytes) {
    memory_ = static_cast<char*>(
        mmap(nullptr, 2 * page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(memory_ != MAP_FAILED);
    REQUIRE(bytes <= page());
    REQUIRE(mprotect(memory_ + page(), page(), PROT_NONE) == 0);
    std::memset(memory_, kJunk, page());
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { munmap(memory_, 2 * page()); }
  [[nodiscard]] char* data() const { return memory_ + page() - bytes_; }

 private:
  static std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
  std::size_t bytes_;
  char* memory_;
};

// A table as that host has it: `Then` is the type as frozen in 1.0.
template <class Then, class Now>
class Table {
 public:
  Table(Host host, Now now) : size_(size_in(host)), memory_(size_) {
    now.struct_size = static_cast<std::uint32_t>(size_);
    std::memcpy(memory_.data(), &now, std::min(size_, sizeof now));
  }
  static std::size_t size_in(Host host) {
    return host == Host::of_1_0 ? sizeof(Then) : sizeof(Now) + kGrowth;
  }
  [[nodiscard]] Now* get() const { return reinterpret_cast<Now*>(memory_.data()); }

 private:
  std::size_t size_;
  Fenced memory_;
};

// All bits of 1.0 that stand for a field, and in the other host many that nobody knows yet.
std::uint64_t known(Host host, std::uint64_t bits_of_1_0) {
  return host == Host::of_1_0 ? bits_of_1_0 : bits_of_1_0 | ~std::uint64_t{0} << 40U;
}

llv_str text(const char* words) {
  return {words, std::strlen(words)};
}

struct Error512 {
  char data[512] = {};
  llv_text raw{sizeof raw, sizeof data, 0, 0, data};
};

class Machine {
 public:
  explicit Machine(Host host)
      : stride_(Table<golden::llv_model, llv_model>::size_in(host)), models_(2 * stride_) {
    for (std::size_t i = 0; i < 2; ++i) {
      llv_model model{};
      model.struct_size = static_cast<std::uint32_t>(stride_);
      model.known = known(host, 0x3ff);
      model.name = text(i == 0 ? "a:latest" : "b:latest");
      model.size_bytes = model.rss_bytes = (i + 1) << 30U;
      model.last_used_ns = model.loaded_ns = 1'000'000'000;
      model.use_count = 1;
      std::memcpy(models_.data() + i * stride_, &model, std::min(stride_, sizeof model));
    }
    snapshot.struct_size = sizeof snapshot;
    snapshot.model_count = 2;
    snapshot.models = reinterpret_cast<const llv_model*>(models_.data());
    snapshot.model_stride = stride_;
    snapshot.known = known(host, 0x1f);
    snapshot.now_ns = 60'000'000'000;
    snapshot.limit_bytes = 8ULL << 30U;
  }
  llv_snapshot snapshot{};

 private:
  std::size_t stride_;
  Fenced models_;
};

void rank(const llv_plugin& plugin, void* self, Host host) {
  const Machine machine(host);
  const Table<golden::llv_snapshot, llv_snapshot> snapshot(host, machine.snapshot);
  std::vector<bool> ranked(2);
  const Table<golden::llv_victims, llv_victims> victims(
      host, {0, 0, &ranked, [](void* ctx, std::uint32_t index, double, llv_str) -> std::int32_t {
               auto& all = *static_cast<std::vector<bool>*>(ctx);
               return index >= all.size() ? LLV_E_REFUSED : (all[index] = true, LLV_OK);
             }});
  Error512 error;
  const auto* role = static_cast<const llv_eviction*>(plugin.get_role(LLV_ROLE_EVICTION));
  REQUIRE(role->rank(self, snapshot.get(), 1, victims.get(), &error.raw) >= 0);
  CHECK(ranked == std::vector<bool>{true, true});
}

void choose(const llv_plugin& plugin, void* self, Host host) {
  const Machine machine(host);
  const Table<golden::llv_snapshot, llv_snapshot> snapshot(host, machine.snapshot);
  const Table<golden::llv_context_model, llv_context_model> model(
      host, {0, 0, known(host, 0xf), text("a:latest"), 1 << 20U, 1 << 10U, 8192, 4096});
  const Table<golden::llv_context_request, llv_context_request> request(
      host, {0, 0, known(host, 7), 4096, 4096, 1ULL << 30U});
  Error512 reason;
  Error512 error;
  const Table<golden::llv_context_choice, llv_context_choice> choice(host, {0, 0, &reason.raw});
  const auto* role = static_cast<const llv_context*>(plugin.get_role(LLV_ROLE_CONTEXT));
  REQUIRE(role->choose(self, snapshot.get(), model.get(), request.get(), choice.get(), &error.raw) >= 0);
  CHECK(choice.get()->num_ctx >= 1);
  CHECK(choice.get()->num_ctx <= 8192);
  CHECK(reason.raw.length <= sizeof reason.data);
}

void notify(const llv_plugin& plugin, void* self, Host host) {
  llv_event event{};
  event.known = known(host, 7);
  event.count = 1;
  event.kind = text("eviction");
  event.summary = event.body = event.model = text("a:latest");
  event.json = text("{}");
  const Table<golden::llv_event, llv_event> table(host, event);
  Error512 error;
  const auto* role = static_cast<const llv_notify*>(plugin.get_role(LLV_ROLE_NOTIFY));
  const std::int32_t code = role->on_event(self, table.get(), &error.raw);  // there is no bus to deliver to
  CHECK((code >= 0 || error.raw.length > 0));
}

void play(const PluginInfo& plugin, const llv_config& values, Host host) {
  const Table<golden::llv_host, llv_host> host_table(
      host, {0, host == Host::of_1_0 ? 0U : LLV_ABI_MINOR + 1U, nullptr, [](void*, std::int32_t, llv_str) {},
             [](void*) -> std::uint64_t { return 60'000'000'000; },
             [](void*, const char*) -> const void* { return nullptr; }});
  void* self = nullptr;
  {
    const Table<golden::llv_config, llv_config> config(host, values);  // gone after create()
    Error512 error;
    REQUIRE(plugin.table.create(host_table.get(), config.get(), &error.raw, &self) >= 0);
  }
  for (const std::string& role : plugin.roles) {
    (role == "eviction" ? rank : role == "context" ? choose : notify)(plugin.table, self, host);
  }
  plugin.table.destroy(self);
}

}  // namespace

TEST_CASE("every plugin works in a host that is cut to the size of 1.0, and in one that has grown") {
  const testing::TempDir folder;
  ::setenv("XDG_RUNTIME_DIR", folder.path().c_str(), 1);
  ::setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent", 1);
  const std::map<std::string, std::map<std::string, PluginValue>> values{
      {"command", {{"argv", std::vector<std::string>{"/bin/true"}}}},
      {"event_file", {{"path", folder.file("events")}}}};
  std::size_t played = 0;
  for (const char* dir :
       {LLV_PLUGIN_DIR, LLV_PLUGIN_DIR "/../example_plugins", LLV_PLUGIN_DIR "/../test_plugins"}) {
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      const auto library = PluginLibrary::open(entry.path().string());
      REQUIRE(library);
      for (const PluginInfo& plugin : (*library)->plugins()) {
        INFO(plugin.id);
        const auto given = values.find(plugin.id);
        const auto config = PluginConfig::check(
            plugin, given == values.end() ? std::map<std::string, PluginValue>{} : given->second);
        REQUIRE(config);
        play(plugin, config->table(), Host::of_1_0);
        play(plugin, config->table(), Host::of_tomorrow);
        ++played;
      }
    }
  }
  CHECK(played >= 9);
}
