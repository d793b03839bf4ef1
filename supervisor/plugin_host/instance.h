// One running instance of a plugin, with a thread of its own for its calls.
//
// A call is posted to that thread and a deadline runs on the io thread; whichever is first answers. A call
// that overran is a strike; after kMaxStrikes in a row the instance is asked no more. A call that never
// returns keeps its thread, its instance and its library for ever (a thread cannot be killed); the daemon
// goes on without it, and a program that ends does not wait for it longer than kEndBound.
//
// Thread: io thread only, except where said.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "plugin_host/library.h"
#include "plugin_host/plugin_config.h"
#include "plugin_host/plugin_text.h"

namespace llamavisor {

class CallThread;
class PluginCalls;

class PluginInstance : public std::enable_shared_from_this<PluginInstance> {
 public:
  static constexpr unsigned kMaxStrikes = 3;
  static constexpr std::chrono::seconds kEndBound{2};
  using Answer = std::function<void(Result<void>)>;

  struct Parts {
    boost::asio::io_context& io;
    const Clock& clock;
    std::shared_ptr<PluginLibrary> library;  // null for an isolated plugin
    PluginInfo info;
    PluginConfig config;
    unsigned generation = 0;
    std::shared_ptr<PluginCalls> calls{};  // where a crash inside a call is found out later; null: nowhere
    std::string role{};
    bool inline_calls = false;  // calls run on the caller's thread, without a deadline
  };

  // Creates the instance on its thread; `done` gets it, or what create() said.
  static void start(Parts parts, std::chrono::milliseconds deadline,
                    std::function<void(Result<std::shared_ptr<PluginInstance>>)> done);
  ~PluginInstance();
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  [[nodiscard]] const PluginInfo& info() const;
  [[nodiscard]] unsigned strikes() const { return strikes_; }

  // Runs `work(self)` on the instance's thread; an exception there is an error. `done` is called once: with
  // what work said, or with a timeout error at the deadline; the late result is dropped then. With inline
  // calls `done` is called before this returns, and nothing ends a work that hangs.
  void call(std::chrono::milliseconds deadline, std::function<Result<void>(void* self)> work, Answer done);

  struct Core;  // what the thread needs; outlives a handle whose call hangs

 private:
  explicit PluginInstance(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
  std::shared_ptr<CallThread> thread_;
  unsigned strikes_ = 0;
};

}  // namespace llamavisor
