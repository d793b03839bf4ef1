// Values of the core as the JSON of control/API.md. Thread: any; pure functions.
#pragma once

#include <boost/json/object.hpp>

#include "app/loaded_config.h"
#include "domain/event.h"
#include "domain/memory_sample.h"
#include "ledger/ledger.h"
#include "plugin_host/plugin_host.h"

namespace llamavisor {

boost::json::object event_json(const Event& event);
boost::json::object model_json(const Residency& residency, std::uint64_t overflows, bool pinned,
                               std::size_t waiting, SteadyTime now, WallTime wall);
boost::json::object memory_json(const MemorySample* sample);
// Every effective value with its origin, the server's environment, and the files.
boost::json::object config_json(const LoadedConfig& config, std::uint16_t server_port, std::uint32_t num_ctx,
                                bool restarted);
boost::json::object plugin_json(const PluginInfo& plugin);

std::int64_t to_ms(std::chrono::nanoseconds duration);
std::int64_t to_unix_ms(WallTime time);

}  // namespace llamavisor
