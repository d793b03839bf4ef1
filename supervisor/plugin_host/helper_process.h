// A process of llamavisor's own that holds one plugin library: it can crash, hang or eat memory without harm
// to the daemon. It has no network, no files once the library is loaded, no other processes, and bounded
// memory (helper/sandbox.cpp). It ends with the thread that started it, and with this object.
//
// A program of its own rather than a subcommand: it maps only what a plugin needs and so starts in
// milliseconds, its list of system calls is short, and an `llamavisor` that is replaced on disk does not
// change it under way.
//
// Thread: any; one user at a time; blocking within the deadlines given.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "plugin_host/helper_messages.h"
#include "plugin_host/library.h"

namespace llamavisor {

class HelperProcess {
 public:
  struct Loaded {
    std::unique_ptr<HelperProcess> process;
    std::vector<DescribedPlugin> plugins;
  };
  // Starts it and has it load the file. Errors say what is wrong with the file, as PluginLibrary::open()
  // does, or how its code ended the process.
  static Result<Loaded> load(const std::string& path, std::chrono::milliseconds deadline);
  ~HelperProcess();
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  // Sends a question and returns its answer, which lives until the next call. On an error the process is
  // gone, and the error says why: how it ended, that it was too slow, that it answered nonsense.
  Result<std::string_view> ask(Packer& question, std::chrono::milliseconds deadline);
  // Ends it because of what it answered.
  Error end_for(const std::string& what);

 private:
  HelperProcess(pid_t pid, UniqueFd pidfd, UniqueFd socket);
  static Result<std::unique_ptr<HelperProcess>> spawn(const std::string& copy, const std::string& path);
  Result<std::string_view> answer(SteadyDeadline deadline);
  Error gone(bool timed_out, const Error& why);
  void end();

  pid_t pid_;
  UniqueFd pidfd_;
  UniqueFd socket_;
  std::string received_;
};

}  // namespace llamavisor
