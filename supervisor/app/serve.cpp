#include "app/serve.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>

#include "app/loaded_config.h"
#include "app/supervisor.h"
#include "base/log.h"

namespace llamavisor {

namespace {

// Each client takes two descriptors; the usual soft limit of 1,024 is for programs that call select().
void allow_many_files() {
  constexpr rlim_t kEnough = 65'536;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < kEnough) {
    files.rlim_cur = std::min(files.rlim_max, kEnough);
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  auto config = LoadedConfig::load(options);
  if (!config) {
    log_error(config.error().text());
    return 2;
  }
  set_log_level(config->settings.log.level);
  // The workers allocate little and briefly; an arena for each would keep its peak for as long as we run.
  mallopt(M_ARENA_MAX, 1);
  allow_many_files();
  boost::asio::io_context io(1);
  Supervisor supervisor(io, std::move(*config));
  return supervisor.run();
}

}  // namespace llamavisor
