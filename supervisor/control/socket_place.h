// The folder and the path of a unix socket, made ready for a server. Thread: any; waits a second at most.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace llamavisor {

// Who is at the other end; absent when the kernel does not say.
std::optional<ucred> peer_of(int fd);

// Makes the folder (0700) when it is missing, and takes a socket away that nobody listens on. A folder that
// was there is left as it is. Errors: somebody listens (with its pid), the folder belongs to another user or
// everybody can write to it, something else stands at the path, the path is too long for a socket.
// The returned lock keeps others from doing the same; it is to be held until the server listens.
Result<UniqueFd> make_socket_place(const std::string& path);

}  // namespace llamavisor
