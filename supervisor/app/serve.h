// `llamavisor serve`. Thread: main thread; returns when the supervisor has ended.
#pragma once

#include <string>

namespace llamavisor {

struct ServeOptions {
  std::string config_file;  // instead of the system's and the user's
  std::string profile;
  std::string listen;
  std::string ollama;
  std::string limit;
  std::string log_level;
};

// Exit code: 0 stopped by a signal, 1 could not start, 2 the configuration is wrong.
int serve(const ServeOptions& options);

}  // namespace llamavisor
