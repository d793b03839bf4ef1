#include "plugin_host/helper_messages.h"

#include <algorithm>
#include <variant>

#include "base/overloaded.h"
#include "plugin_host/plugin_text.h"

namespace llamavisor {
namespace {

constexpr std::uint32_t kMaxPlugins = 64;
constexpr std::uint32_t kMaxRoles = 8;
constexpr std::uint32_t kMaxKeys = 256;
constexpr std::uint32_t kMaxItems = 65'536;

llv_str as_str(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(llv_str text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

bool has_due(const PluginInfo& plugin) {
  const auto* role = static_cast<const llv_eviction*>(plugin.table.get_role(LLV_ROLE_EVICTION));
  constexpr std::size_t kEnd = offsetof(llv_eviction, due) + sizeof(llv_eviction::due);
  return role != nullptr && role->struct_size >= kEnd && role->due != nullptr;
}

std::uint32_t callbacks_of(const PluginInfo& plugin) {
  return (plugin.table.reconfigure != nullptr ? kHasReconfigure : 0U) |
         (plugin.table.save != nullptr ? kHasSave : 0U) |
         (plugin.table.restore != nullptr ? kHasRestore : 0U) | (has_due(plugin) ? kHasDue : 0U);
}

void pack_key(Packer& out, const PluginKey& key) {
  out.text(key.name).text(key.default_value).text(key.help);
  out.add(std::uint8_t{key.has_default})
      .add(std::uint8_t{key.required})
      .add(key.type)
      .add(key.min)
      .add(key.max);
}

PluginKey unpack_key(Unpacker& in) {
  PluginKey out;
  out.name = in.text(kMaxTextBytes);
  out.default_value = in.text(kMaxTextBytes);
  out.help = in.text(kMaxTextBytes);
  out.has_default = in.get<std::uint8_t>() != 0;
  out.required = in.get<std::uint8_t>() != 0;
  out.type = in.get<std::int32_t>();
  out.min = in.get<double>();
  out.max = in.get<double>();
  return out;
}

DescribedPlugin unpack_plugin(Unpacker& in) {
  DescribedPlugin out;
  out.info.id = in.text(kMaxTextBytes);
  out.info.version = in.text(kMaxTextBytes);
  out.info.summary = in.text(kMaxTextBytes);
  for (std::uint32_t left = in.count(kMaxRoles); left > 0; --left) {
    out.info.roles.emplace_back(in.text(kMaxTextBytes));
  }
  for (std::uint32_t left = in.count(kMaxKeys); left > 0; --left) {
    out.info.keys.push_back(unpack_key(in));
  }
  out.callbacks = in.get<std::uint32_t>();
  return out;
}

Result<void> check_plugin(const PluginInfo& plugin) {
  const bool known = std::all_of(plugin.roles.begin(), plugin.roles.end(),
                                 [](const std::string& role) { return !role_id(role).empty(); });
  if (!is_plugin_id(plugin.id) || plugin.roles.empty() || !known) {
    return Error("it is described as something that is not a plugin");
  }
  return PluginConfig::check_keys(plugin);
}

}  // namespace

void pack_plugins(Packer& out, const std::vector<PluginInfo>& plugins) {
  out.add(static_cast<std::uint32_t>(plugins.size()));
  for (const PluginInfo& plugin : plugins) {
    out.text(plugin.id).text(plugin.version).text(plugin.summary);
    out.add(static_cast<std::uint32_t>(plugin.roles.size()));
    for (const std::string& role : plugin.roles) {
      out.text(role);
    }
    out.add(static_cast<std::uint32_t>(plugin.keys.size()));
    for (const PluginKey& key : plugin.keys) {
      pack_key(out, key);
    }
    out.add(callbacks_of(plugin));
  }
}

Result<std::vector<DescribedPlugin>> unpack_plugins(Unpacker& in, const std::string& path) {
  std::vector<DescribedPlugin> out;
  for (std::uint32_t left = in.count(kMaxPlugins); left > 0; --left) {
    out.push_back(unpack_plugin(in));
    out.back().info.path = path;
    out.back().info.version = clean_text(out.back().info.version.data(), out.back().info.version.size());
    out.back().info.summary = clean_text(out.back().info.summary.data(), out.back().info.summary.size());
    if (auto fine = check_plugin(out.back().info); !fine) {
      return fine.error().within(path);
    }
  }
  return in.ok() && !out.empty() ? Result<std::vector<DescribedPlugin>>(std::move(out))
                                 : Error(path + ": it cannot be described");
}

void pack_values(Packer& out, const PluginConfig& config) {
  out.add(static_cast<std::uint32_t>(config.values().size()));
  for (const auto& [name, value] : config.values()) {
    out.text(name).add(static_cast<std::uint32_t>(value.index()));
    std::visit(Overloaded{[&](const std::string& text) { out.text(text); },
                          [&](const std::vector<std::string>& items) {
                            out.add(static_cast<std::uint32_t>(items.size()));
                            for (const std::string& item : items) {
                              out.text(item);
                            }
                          },
                          [&](auto number) { out.add(number); }},
               value);
  }
}

PluginConfig unpack_values(Unpacker& in) {
  PluginConfig::Values out;
  for (std::uint32_t left = in.count(kMaxKeys); left > 0; --left) {
    PluginConfig::Value& value = out[std::string(in.text())];
    const auto index = in.get<std::uint32_t>();
    if (index == 0) {
      value = in.get<std::int64_t>();
    } else if (index == 1) {
      value = in.get<double>();
    } else if (index == 2) {
      value = std::string(in.text());
    } else {
      auto& items = value.emplace<std::vector<std::string>>();
      for (std::uint32_t more = in.count(kMaxItems); more > 0; --more) {
        items.emplace_back(in.text());
      }
    }
  }
  return PluginConfig(std::move(out));
}

void pack_snapshot(Packer& out, const llv_snapshot& snapshot) {
  out.add(snapshot);
  for (std::uint32_t i = 0; i < snapshot.model_count; ++i) {
    out.add(snapshot.models[i]).text(view(snapshot.models[i].name));
  }
}

void unpack_snapshot(Unpacker& in, UnpackedSnapshot& out) {
  out.view = in.get<llv_snapshot>();
  out.models.resize(in.ok() ? out.view.model_count : 0);
  for (llv_model& model : out.models) {
    model = in.get<llv_model>();
    model.name = as_str(in.text());
  }
  out.view.models = out.models.data();
  out.view.model_stride = sizeof(llv_model);
}

void pack_event(Packer& out, const llv_event& event) {
  out.add(event);
  for (const llv_str text : {event.kind, event.summary, event.body, event.model, event.json}) {
    out.text(view(text));
  }
}

llv_event unpack_event(Unpacker& in) {
  auto out = in.get<llv_event>();
  for (llv_str* text : {&out.kind, &out.summary, &out.body, &out.model, &out.json}) {
    *text = as_str(in.text());
  }
  return out;
}

}  // namespace llamavisor
