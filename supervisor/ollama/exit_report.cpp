#include "ollama/exit_report.h"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace llamavisor {
namespace {

constexpr std::ptrdiff_t kShownLines = 8;

bool any_line_has(const std::vector<std::string>& lines, const char* text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

ExitReason reason_of(const ExitFacts& facts) {
  if (facts.status.signalled) {
    return ExitReason::signalled;
  }
  if (!facts.was_ready && any_line_has(facts.lines, "address already in use")) {
    return ExitReason::port_taken;
  }
  switch (facts.status.value) {
    case 0:
      return facts.was_ready ? ExitReason::ended : ExitReason::not_ollama;
    case 1:
      return facts.was_ready ? ExitReason::ended : ExitReason::start_failed;
    case 2:
      return ExitReason::panicked;
    default:
      return ExitReason::ended;
  }
}

std::string signal_hint(int signal) {
  switch (signal) {
    case SIGKILL:
      return "the kernel ends processes so when memory runs out (see dmesg); or somebody sent it";
    case SIGILL:
      return "the program uses instructions that this processor does not have; get a build for it";
    case SIGSEGV:
    case SIGBUS:
    case SIGABRT:
      return "the server crashed; its log says where";
    default:
      return {};
  }
}

std::string hint_of(const ExitFacts& facts, ExitReason reason) {
  switch (reason) {
    case ExitReason::port_taken:
      return "another program took the private port between choosing and using it; try again";
    case ExitReason::not_ollama:
      return "is this program Ollama? It must serve when it is called with \"serve\"";
    case ExitReason::panicked:
      return "the server crashed; `llamavisor logs` shows where";
    case ExitReason::signalled:
      return signal_hint(facts.status.value);
    default:
      return {};
  }
}

std::string how(const ExitFacts& facts) {
  if (facts.status.signalled) {
    const char* name = ::strsignal(facts.status.value);
    return "was ended by signal " + std::to_string(facts.status.value) + " (" +
           (name != nullptr ? name : "unknown") + ")";
  }
  return "exited with code " + std::to_string(facts.status.value);
}

using Line = std::vector<std::string>::const_iterator;

// The line that says what went wrong: Go prints whole stacks after it.
Line telling_line(const ExitFacts& facts) {
  return std::find_if(facts.lines.begin(), facts.lines.end(), [](const std::string& line) {
    return line.starts_with("panic: ") || line.starts_with("fatal error: ") || line.starts_with("Error: ");
  });
}

std::vector<std::string> last_words(const ExitFacts& facts) {
  const auto end = facts.lines.end();
  const Line telling = telling_line(facts);
  const auto shown =
      std::min(kShownLines, telling == end ? facts.lines.end() - facts.lines.begin() : end - telling);
  const Line from = telling == end ? end - shown : telling;
  return {from, from + shown};
}

std::string what(const ExitFacts& facts, ExitReason reason) {
  if (reason == ExitReason::port_taken) {
    return ": its port is taken";
  }
  const bool told = reason == ExitReason::panicked || reason == ExitReason::start_failed;
  const Line telling = telling_line(facts);
  return told && telling != facts.lines.end() ? ": " + *telling : std::string();
}

}  // namespace

Error ExitReport::error() const {
  std::string text = sentence;
  for (const std::string& line : last_lines) {
    text += "\n| " + line;
  }
  return Error(std::move(text), hint);
}

ExitReport explain_exit(const ExitFacts& facts) {
  ExitReport out;
  out.reason = reason_of(facts);
  out.status = facts.status;
  out.sentence = "ollama serve (pid " + std::to_string(facts.pid) + ") " + how(facts) +
                 (facts.was_ready ? "" : " before it was ready") + what(facts, out.reason);
  out.hint = hint_of(facts, out.reason);
  out.last_lines = last_words(facts);
  return out;
}

ExitReport explain_no_start(const Error& error) {
  ExitReport out;
  out.reason = ExitReason::not_started;
  out.sentence = error.message;
  out.hint = error.hint;
  return out;
}

}  // namespace llamavisor
