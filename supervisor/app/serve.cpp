#include "app/serve.h"

#include <malloc.h>

#include <boost/asio/io_context.hpp>

#include "app/loaded_config.h"
#include "app/supervisor.h"
#include "base/log.h"

namespace llamavisor {

int serve(const ServeOptions& options) {
  auto config = LoadedConfig::load(options);
  if (!config) {
    log_error(config.error().text());
    return 2;
  }
  set_log_level(config->settings.log.level);
  // The workers allocate little and briefly; an arena for each would keep its peak for as long as we run.
  mallopt(M_ARENA_MAX, 1);
  boost::asio::io_context io(1);
  Supervisor supervisor(io, std::move(*config));
  return supervisor.run();
}

}  // namespace llamavisor
