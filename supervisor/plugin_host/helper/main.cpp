// plugin-helper VERSION PARENT-PID COPY PATH: started by llamavisor with a socket as descriptor 3, for one
// plugin library and one instance. It ends when the socket closes or its parent dies.
#include <sys/prctl.h>
#include <unistd.h>

#include <malloc.h>
#include <csignal>
#include <cstdlib>

#include "plugin_host/helper/sandbox.h"
#include "plugin_host/helper/served_plugin.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// A crash is to end the process by its signal, as it does without a sanitizer.
extern "C" const char* __asan_default_options() {
  return "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:detect_leaks=0";
}
extern "C" const char* __tsan_default_options() {
  return "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0";
}
#endif

namespace llamavisor {
namespace {

bool send_to_host(Packer& answer) {
  bool timed_out = false;
  return send_frame(kHelperSocket, answer.frame(), kNoDeadline, timed_out).has_value();
}

void refuse(const Error& error) {
  Packer out;
  out.add(std::int32_t{LLV_E_FAILED}).text(error.message).text(error.hint);
  send_to_host(out);
}

Result<std::shared_ptr<PluginLibrary>> load(char** argv) {
  if (std::string_view(argv[1]) != LLV_VERSION) {
    return Error(
        std::string("the helper program is of version ") + LLV_VERSION + ", llamavisor of " + argv[1],
        "restart llamavisor");
  }
  mallopt(M_ARENA_MAX, 1);
  if (auto closed = enter_sandbox(); !closed) {
    return closed.error();
  }
  auto library = PluginLibrary::load(argv[3], argv[4]);
  if (!library) {
    return library;
  }
  const auto closed = close_files();
  return closed ? std::move(library) : closed.error();
}

void serve(std::shared_ptr<PluginLibrary> library) {
  Packer described;
  described.add(std::int32_t{LLV_OK});
  pack_plugins(described, library->plugins());
  ServedPlugin plugin(std::move(library));
  std::string received;
  bool timed_out = false;
  for (bool open = send_to_host(described); open;) {
    const auto question = receive_frame(kHelperSocket, received, kNoDeadline, timed_out);
    if (!question) {
      return;
    }
    Packer answer = plugin.answer(*question);
    open = send_to_host(answer);
  }
}

}  // namespace
}  // namespace llamavisor

// Nothing of the plugin runs at the end: _exit skips destructors and what it may have left for exit().
int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc != 5 || getppid() != std::atoi(argv[2])) {
    _exit(2);
  }
  if (auto library = llamavisor::load(argv)) {
    llamavisor::serve(std::move(*library));
  } else {
    llamavisor::refuse(library.error());
  }
  _exit(0);
}
