// Who listens on a TCP port of this machine.
// Thread: any. Reads /proc, a few milliseconds.
#pragma once

#include <cstdint>
#include <string>

namespace llamavisor {

// " by ollama (pid 123)", or "" when it cannot be found out (another user's process).
std::string describe_port_owner(std::uint16_t port);

}  // namespace llamavisor
