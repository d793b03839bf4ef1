#include "app/serve.h"

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
  boost::asio::io_context io(1);
  Supervisor supervisor(io, std::move(*config));
  return supervisor.run();
}

}  // namespace llamavisor
