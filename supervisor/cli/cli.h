// The command line. Thread: main.
#pragma once

namespace llamavisor {

// Exit codes: 0 done, 1 failed, 2 usage, 3 no supervisor is running.
int run_cli(int argc, char** argv);

}  // namespace llamavisor
