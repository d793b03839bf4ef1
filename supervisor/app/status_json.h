// Values of the core as the JSON of control/API.md. Thread: any; pure functions.
#pragma once

#include <boost/json/object.hpp>

#include "domain/event.h"
#include "domain/memory_sample.h"
#include "ledger/ledger.h"
#include "plugin_host/plugin_host.h"

namespace llamavisor {

boost::json::object event_json(const Event& event);
boost::json::object model_json(const Residency& residency, bool pinned, std::size_t waiting, SteadyTime now,
                               WallTime wall);
boost::json::object memory_json(const MemorySample* sample);
boost::json::object plugin_json(const PluginInfo& plugin);

std::int64_t to_ms(std::chrono::nanoseconds duration);
std::int64_t to_unix_ms(WallTime time);

}  // namespace llamavisor
