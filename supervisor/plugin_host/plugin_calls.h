// Remembers, across a crash of the whole program, which plugin was being called: a small file, mapped into
// memory, with a slot for each running instance. Around a call one word of the slot is written and cleared,
// which costs nanoseconds and no system call; the kernel keeps the page when the process dies.
//
// Whom the next start blames: the plugin on whose thread a fatal signal came, as a signal handler notes. When
// none was noted (killed by the kernel or by somebody, ended by the plugin's own exit()), each policy that
// was inside a call: those take microseconds, or hang. A notifier may wait for seconds, so that alone says
// nothing of it. After a clean end, and after a restart of the machine, nobody is blamed.
//
// Thread: io thread; begin() and end() of a slot on the thread of its instance.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace llamavisor {

struct BlamedPlugin {
  std::string id;
  std::string what;  // "llamavisor was ended by signal 11 (Segmentation fault) inside a call to it"
};

class PluginCalls : public std::enable_shared_from_this<PluginCalls> {
 public:
  struct Map;
  struct SlotData;

  // A running instance's place in the file; a default one remembers nothing.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept;
    Slot& operator=(Slot&&) = delete;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot();
    void begin() noexcept;
    void end() noexcept;

   private:
    friend class PluginCalls;
    Slot(std::shared_ptr<PluginCalls> calls, SlotData* data) : calls_(std::move(calls)), data_(data) {}

    std::shared_ptr<PluginCalls> calls_;
    SlotData* data_ = nullptr;
  };

  // Reads what the last run left in `blamed`, then starts anew. An error: no crash can be found out later.
  static Result<std::shared_ptr<PluginCalls>> open(const std::string& path,
                                                   std::vector<BlamedPlugin>& blamed);
  PluginCalls(const PluginCalls&) = delete;
  PluginCalls& operator=(const PluginCalls&) = delete;
  ~PluginCalls();

  // When all places are taken: one that remembers nothing.
  Slot take(const std::string& id, const std::string& role);
  // The program ends on its own: nothing is to be blamed.
  void end_cleanly();

 private:
  explicit PluginCalls(Map* map, int fd) : map_(map), fd_(fd) {}

  Map* map_;
  int fd_;  // holds the lock that says that we live
};

}  // namespace llamavisor
