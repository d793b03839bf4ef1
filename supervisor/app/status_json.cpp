#include "app/status_json.h"

#include <boost/json/array.hpp>

#include "store/paths.h"

namespace llamavisor {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

template <class T>
void put(json::object& out, const char* key, const std::optional<T>& value) {
  if (value) {
    out[key] = *value;
  }
}

}  // namespace

std::int64_t to_ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<milliseconds>(duration).count();
}

std::int64_t to_unix_ms(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

json::object event_json(const Event& event) {
  json::object out{{"id", event.id},
                   {"kind", to_string(event.kind)},
                   {"at_unix_ms", to_unix_ms(event.at)},
                   {"summary", event.summary},
                   {"sentence", event.sentence}};
  if (!event.model.empty()) {
    out["model"] = event.model;
  }
  put(out, "freed_bytes", event.freed_bytes);
  put(out, "available_bytes", event.available_bytes);
  return out;
}

json::object model_json(const Residency& residency, std::uint64_t overflows, bool pinned, std::size_t waiting,
                        SteadyTime now, WallTime wall) {
  json::object out{{"name", residency.name},
                   {"state", to_string(residency.state)},
                   {"charge_bytes", residency.charge_bytes()},
                   {"forecast_bytes", residency.forecast_bytes},
                   {"in_flight", residency.in_flight},
                   {"waiting", waiting},
                   {"pinned", pinned},
                   {"idle_ms", residency.in_flight > 0 ? 0 : to_ms(now - residency.last_used)},
                   {"loaded_ms_ago", to_ms(now - residency.loaded)},
                   {"use_count", residency.use_count},
                   {"overflows", overflows}};
  put(out, "footprint_bytes", residency.footprint_bytes);
  put(out, "num_ctx", residency.num_ctx);
  if (residency.runner) {
    out["pid"] = residency.runner->pid;
  }
  if (residency.expires_at && *residency.expires_at != WallTime::max()) {
    out["expires_in_ms"] = std::max<std::int64_t>(0, to_ms(*residency.expires_at - wall));
  }
  return out;
}

json::object memory_json(const MemorySample* sample) {
  json::object out;
  if (sample == nullptr) {
    return out;
  }
  put(out, "total_bytes", sample->total_bytes);
  put(out, "available_bytes", sample->available_bytes);
  if (sample->swap_total_bytes && sample->swap_free_bytes) {
    out["swap_used_bytes"] = *sample->swap_total_bytes - *sample->swap_free_bytes;
  }
  if (sample->psi_memory) {
    out["psi_full_avg10"] = sample->psi_memory->full_avg10;
  }
  if (sample->cgroup) {
    put(out, "cgroup_limit_bytes", sample->cgroup->limit_bytes);
  }
  put(out, "server_rss_bytes", sample->server_rss_bytes);
  return out;
}

json::object config_json(const LoadedConfig& config, std::uint16_t server_port, std::uint32_t num_ctx,
                         bool restarted) {
  json::array values;
  for (const auto& [key, value] : config.result.values) {
    const ConfigKey* known = find_config_key(key);
    values.push_back(json::object{{"key", key},
                                  {"value", value.value},
                                  {"origin", value.origin},
                                  {"live", known == nullptr || known->live},
                                  {"help", known == nullptr ? "" : known->help}});
  }
  json::array env;
  for (const EnvEntry& entry : child_env({.settings = config.settings,
                               .origins = config.origins,
                               .own = config.environment,
                               .port = server_port,
                               .num_ctx = num_ctx,
                               .automatic_restart = restarted,
                               .home = state_dir()})) {
    env.push_back(
        json::object{{"name", entry.name}, {"value", shown_value(entry)}, {"origin", entry.origin}});
  }
  json::array files;
  for (const ConfigFile& file : config.files) {
    files.push_back(json::object{{"path", file.path}, {"present", file.present}});
  }
  return {{"values", std::move(values)}, {"env", std::move(env)}, {"files", std::move(files)}};
}

json::object plugin_json(const PluginInfo& plugin) {
  json::array keys;
  for (const PluginKey& key : plugin.keys) {
    json::object entry{{"name", key.name}, {"help", key.help}};
    if (key.has_default) {
      entry["default"] = key.default_value;
    }
    keys.push_back(std::move(entry));
  }
  return {{"id", plugin.id},
          {"version", plugin.version},
          {"summary", plugin.summary},
          {"path", plugin.path},
          {"keys", std::move(keys)}};
}

}  // namespace llamavisor
