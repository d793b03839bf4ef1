#include "plugin_host/plugin_calls.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/unique_fd.h"

namespace llamavisor {

struct PluginCalls::SlotData {
  std::array<char, 40> id;
  std::array<char, 12> role;
  std::atomic<std::uint32_t> taken;
  std::atomic<std::uint32_t> inside;  // a call is in progress
  std::atomic<std::uint32_t> signal;  // that ended the program inside it
};

struct PluginCalls::Map {
  std::uint64_t magic;
  std::array<char, 40> boot;  // of the machine
  std::atomic<std::uint32_t> signal;
  std::uint32_t reserved;
  std::array<SlotData, 48> slots;
};

namespace {

using Map = PluginCalls::Map;
using SlotData = PluginCalls::SlotData;
constexpr std::uint64_t kMagic = 0x31736c6c6163764cULL;
static_assert(sizeof(Map) <= 4096 && std::atomic<std::uint32_t>::is_always_lock_free);

// The handler of a fatal signal looks at these two.
std::atomic<Map*> watched{nullptr};
thread_local SlotData* called = nullptr;

// Only stores to memory. SA_RESETHAND has set the ordinary effect back, which comes when we return: raised
// again, because a signal that was sent, unlike a fault, does not come back by itself.
void note_fatal(int signal) {
  const auto number = static_cast<std::uint32_t>(signal);
  if (Map* map = watched.load(); map != nullptr) {
    map->signal = number;
  }
  if (called != nullptr) {
    called->signal = number;
  }
  raise(signal);
}

// Not where something else watches already, such as a sanitizer.
void watch_fatal_signals() {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS}) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) {
      now.sa_handler = &note_fatal;
      now.sa_flags = static_cast<int>(SA_RESETHAND);
      sigaction(signal, &now, nullptr);
    }
  }
}

template <std::size_t kSize>
void put(std::array<char, kSize>& to, const std::string& text) {
  to.fill('\0');
  text.copy(to.data(), kSize - 1);
}

template <std::size_t kSize>
std::string text_of(const std::array<char, kSize>& from) {
  return {from.begin(), std::find(from.begin(), from.end(), '\0')};
}

std::string boot_id() {
  constexpr std::size_t kMaxBytes = 64;
  const auto text = read_file("/proc/sys/kernel/random/boot_id", kMaxBytes);
  return text ? text->substr(0, 36) : "";
}

std::string by_signal(std::uint32_t number) {
  const int signal = static_cast<int>(number);
  return "llamavisor was ended by signal " + std::to_string(signal) + " (" + strsignal(signal) +
         ") inside a call to it";
}

std::vector<BlamedPlugin> blame(const Map& map) {
  std::vector<BlamedPlugin> out;
  for (const SlotData& slot : map.slots) {
    const std::uint32_t signal = slot.signal;
    const bool policy = text_of(slot.role) != "notify";
    if (slot.taken == 0 || (signal == 0 && (map.signal != 0 || slot.inside == 0 || !policy))) {
      continue;
    }
    out.push_back({text_of(slot.id), signal != 0
                                         ? by_signal(signal)
                                         : "llamavisor ended unexpectedly while a call to it went on"});
  }
  return out;
}

Error cannot(const std::string& path) {
  return Error(path + ": " + std::strerror(errno), "a plugin that crashes llamavisor will not be found out");
}

}  // namespace

Result<std::shared_ptr<PluginCalls>> PluginCalls::open(const std::string& path,
                                                       std::vector<BlamedPlugin>& blamed) {
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || ftruncate(fd.get(), sizeof(Map)) != 0) {
    return cannot(path);
  }
  void* memory = mmap(nullptr, sizeof(Map), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) {
    return cannot(path);
  }
  Map* map = static_cast<Map*>(memory);
  const std::string boot = boot_id();
  if (map->magic == kMagic && text_of(map->boot) == boot) {
    blamed = blame(*map);
  }
  std::memset(memory, 0, sizeof(Map));
  put(map->boot, boot);
  map->magic = kMagic;
  watched = map;
  watch_fatal_signals();
  return std::shared_ptr<PluginCalls>(new PluginCalls(map, fd.release()));
}

PluginCalls::~PluginCalls() {
  end_cleanly();
  Map* expected = map_;
  watched.compare_exchange_strong(expected, nullptr);
  munmap(map_, sizeof(Map));
  close(fd_);
}

void PluginCalls::end_cleanly() {
  map_->magic = 0;
}

PluginCalls::Slot PluginCalls::take(const std::string& id, const std::string& role) {
  for (SlotData& slot : map_->slots) {
    if (slot.taken.exchange(1) == 0) {
      put(slot.id, id);
      put(slot.role, role);
      return {shared_from_this(), &slot};
    }
  }
  return {};
}

PluginCalls::Slot::Slot(Slot&& other) noexcept
    : calls_(std::move(other.calls_)), data_(std::exchange(other.data_, nullptr)) {}

PluginCalls::Slot::~Slot() {
  if (data_ != nullptr) {
    data_->taken = 0;
  }
}

void PluginCalls::Slot::begin() noexcept {
  if (data_ != nullptr) {
    called = data_;
    data_->inside.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

void PluginCalls::Slot::end() noexcept {
  if (data_ != nullptr) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    data_->inside.store(0, std::memory_order_relaxed);
    called = nullptr;
  }
}

}  // namespace llamavisor
