// Why a server ended, told apart by its exit status and its last words. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ollama/process_group.h"

namespace llamavisor {

enum class ExitReason {
  not_started,   // there was no process: not found, not executable, no free descriptor
  port_taken,    // "address already in use"
  start_failed,  // exit 1: the server's own "Error: ..."
  panicked,      // exit 2: a Go panic or fatal error
  signalled,     // ended by a signal: a crash, the kernel's OOM killer, a person
  not_ollama,    // exit 0 before it was ready: it does not act like `ollama serve`
  unready,       // it ran, but did not answer in time; we ended it
  ended          // any other exit, or exit 0 after it was ready
};

struct ExitReport {
  ExitReason reason = ExitReason::ended;
  std::optional<ExitStatus> status;
  std::string sentence;  // "ollama serve (pid 12) was ended by signal 9 (Killed)"
  std::string hint;
  std::vector<std::string> last_lines;

  // The sentence, with the last lines below it.
  [[nodiscard]] Error error() const;
};

struct ExitFacts {
  int pid = 0;
  ExitStatus status;
  bool was_ready = false;
  std::vector<std::string> lines;  // of this life of the server, the newest last
};

ExitReport explain_exit(const ExitFacts& facts);
ExitReport explain_no_start(const Error& error);

}  // namespace llamavisor
