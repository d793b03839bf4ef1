#include <cstdio>
#include <exception>

#include "cli/cli.h"

// The one place that catches: whatever arrives here is a programming error.
int main(int argc, char** argv) {
  try {
    return llamavisor::run_cli(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "llamavisor: internal error: %s\n", error.what());
    return 1;
  }
}
