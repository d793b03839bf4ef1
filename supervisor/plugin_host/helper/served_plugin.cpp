#include "plugin_host/helper/served_plugin.h"

#include <chrono>
#include <cmath>

#include "plugin_host/handover.h"
#include "plugin_host/plugin_text.h"

namespace llamavisor {
namespace {

std::uint64_t own_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

const void* no_extension(void*, const char*) noexcept {
  return nullptr;
}

// Collects a ranking. Whether a model may go is answered here, so that the plugin hears it at once; the host
// looks at each entry again.
struct Victims {
  struct Entry {
    std::uint32_t index = 0;
    double score = 0;
    std::string reason;
  };
  static constexpr std::size_t kMaxRefused = 8;

  const std::vector<llv_model>& models;
  std::vector<bool> taken = std::vector<bool>(models.size());
  std::vector<Entry> entries{};
  std::size_t refused = 0;

  [[nodiscard]] bool fine(std::uint32_t index, double score) const {
    return index < models.size() && !taken[index] && std::isfinite(score) && models[index].flags == 0 &&
           models[index].in_flight == 0;
  }
};

std::int32_t add_victim(void* ctx, std::uint32_t index, double score, llv_str reason) noexcept {
  auto& victims = *static_cast<Victims*>(ctx);
  const bool fine = victims.fine(index, score);
  if (fine) {
    victims.taken[index] = true;
  } else if (victims.refused++ >= Victims::kMaxRefused) {
    return LLV_E_REFUSED;
  }
  victims.entries.push_back({index, score, clean_text(reason.data, reason.size)});
  return fine ? LLV_OK : LLV_E_REFUSED;
}

void pack_victims(Packer& out, const Victims& victims) {
  out.add(static_cast<std::uint32_t>(victims.entries.size()));
  for (const Victims::Entry& entry : victims.entries) {
    out.add(entry.index).add(entry.score).text(entry.reason);
  }
}

}  // namespace

ServedPlugin::ServedPlugin(std::shared_ptr<PluginLibrary> library) : library_(std::move(library)) {
  host_ = {sizeof host_, LLV_ABI_MINOR, this, nullptr, nullptr, &no_extension};
  host_.log = [](void* ctx, std::int32_t level, llv_str text) noexcept {
    auto& lines = static_cast<ServedPlugin*>(ctx)->lines_;
    if (lines.size() < kMaxLogLines) {
      lines.push_back({level, clean_text(text.data, text.size)});
    }
  };
  host_.now_ns = [](void* ctx) noexcept { return own_ns() + static_cast<ServedPlugin*>(ctx)->ahead_ns_; };
}

Packer ServedPlugin::answer(std::string_view question) {
  Unpacker in(question);
  const auto kind = in.get<Ask>();
  const auto number = in.get<std::uint32_t>();
  ahead_ns_ = in.get<std::uint64_t>() - own_ns();
  TextOut error;
  Packer values;
  std::int32_t code = LLV_E_FAILED;
  try {
    code = call(kind, in, error.get(), values);
  } catch (const std::exception& thrown) {
    put_text(error.get(), std::string("threw through the C interface: ") + thrown.what());
  } catch (...) {
    put_text(error.get(), "threw through the C interface");
  }
  Packer out;
  out.add(number).add(code).text(error.take()).add(static_cast<std::uint32_t>(lines_.size()));
  for (const Line& line : lines_) {
    out.add(line.level).text(line.text);
  }
  lines_.clear();
  return std::move(out.append(values));
}

std::int32_t ServedPlugin::call(Ask kind, Unpacker& in, llv_text* error, Packer& out) {
  switch (kind) {
    case Ask::create:
      return create(in, error);
    case Ask::reconfigure:
      return reconfigure(in, error);
    case Ask::save:
      return save(out);
    case Ask::restore: {
      const std::string_view saved = in.text();
      return plugin_->restore(self_, {saved.data(), saved.size()}, error);
    }
    case Ask::rank:
    case Ask::due:
      return rank(kind, in, error, out);
    case Ask::choose:
      return choose(in, error, out);
    case Ask::notify:
      return notify(in, error);
  }
  return LLV_E_INVALID;
}

std::int32_t ServedPlugin::create(Unpacker& in, llv_text* error) {
  const std::string_view id = in.text();
  for (const PluginInfo& plugin : library_->plugins()) {
    plugin_ = plugin.id == id ? &plugin.table : plugin_;
  }
  if (plugin_ == nullptr) {
    put_text(error, "the file has no such plugin any more");
    return LLV_E_NOT_FOUND;
  }
  const PluginConfig values = unpack_values(in);
  const llv_config config = values.table();
  return plugin_->create(&host_, &config, error, &self_);
}

std::int32_t ServedPlugin::reconfigure(Unpacker& in, llv_text* error) {
  const PluginConfig values = unpack_values(in);
  const llv_config config = values.table();
  return plugin_->reconfigure(self_, &config, error);
}

// The claimed length is not trusted beyond the buffer.
std::int32_t ServedPlugin::save(Packer& out) {
  std::string data(kMaxSavedBytes, '\0');
  llv_text text{sizeof(llv_text), kMaxSavedBytes, 0, 0, data.data()};
  const std::int32_t code = plugin_->save(self_, &text);
  out.text(std::string_view(data).substr(0, text.length));
  return code;
}

std::int32_t ServedPlugin::rank(Ask kind, Unpacker& in, llv_text* error, Packer& out) {
  const auto* table = static_cast<const llv_eviction*>(plugin_->get_role(LLV_ROLE_EVICTION));
  const auto need_bytes = kind == Ask::rank ? in.get<std::uint64_t>() : 0;
  UnpackedSnapshot snapshot;
  unpack_snapshot(in, snapshot);
  Victims victims{snapshot.models};
  llv_victims sink{sizeof(llv_victims), 0, &victims, &add_victim};
  const std::int32_t code = kind == Ask::rank ? table->rank(self_, &snapshot.view, need_bytes, &sink, error)
                                              : table->due(self_, &snapshot.view, &sink, error);
  pack_victims(out, victims);
  return code;
}

std::int32_t ServedPlugin::choose(Unpacker& in, llv_text* error, Packer& out) {
  const auto* table = static_cast<const llv_context*>(plugin_->get_role(LLV_ROLE_CONTEXT));
  UnpackedSnapshot snapshot;
  unpack_snapshot(in, snapshot);
  auto model = in.get<llv_context_model>();
  const std::string_view name = in.text();
  model.name = {name.data(), name.size()};
  const auto request = in.get<llv_context_request>();
  TextOut reason;
  llv_context_choice choice{sizeof(llv_context_choice), 0, reason.get()};
  const std::int32_t code = table->choose(self_, &snapshot.view, &model, &request, &choice, error);
  out.add(choice.num_ctx).text(reason.take());
  return code;
}

std::int32_t ServedPlugin::notify(Unpacker& in, llv_text* error) {
  const auto* table = static_cast<const llv_notify*>(plugin_->get_role(LLV_ROLE_NOTIFY));
  const llv_event event = unpack_event(in);
  return table->on_event(self_, &event, error);
}

}  // namespace llamavisor
