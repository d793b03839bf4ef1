// Signals to a child and to the process group that it leads, and what is left of the group.
// Ollama's runners share the server's process group and outlive a killed server; so the group, not the
// process, is what must be gone.
// Thread: any; nothing blocks. group_is_alive may read /proc (a few milliseconds).
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/unique_fd.h"

namespace llamavisor {

// How a child ended.
struct ExitStatus {
  bool signalled = false;
  int value = 0;  // exit code or signal number
};

// Orphans of our descendants become our children, and can be reaped. Once, at start.
bool become_subreaper();

// A handle on a process, which its pid's reuse cannot change. Empty: there is no such process (errno says
// why).
UniqueFd open_pidfd(pid_t pid);

// False: it has already ended. Free of the pid-reuse race of kill().
bool send_signal(int pidfd, int signal);

// Has the child ended? It stays a zombie, so that its pid (and the group's id) cannot be reused yet.
bool has_exited(int pidfd);

// Takes the exit status and ends the zombie; absent while the child lives.
std::optional<ExitStatus> reap(int pidfd);

// False: nobody is in the group. Safe while its leader is alive, a zombie, or a member lives.
bool signal_group(pid_t pgid, int signal);

// Ends the zombies of the group that were handed to us. Only after the leader was reaped.
void reap_group(pid_t pgid);

// Is any process of the group not yet dead? Zombies hold no memory and do not count.
bool group_is_alive(pid_t pgid);

}  // namespace llamavisor
