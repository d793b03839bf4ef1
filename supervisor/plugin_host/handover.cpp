#include "plugin_host/handover.h"

#include <algorithm>

#include "base/log.h"

namespace llamavisor {
namespace {

// Bounded by the buffer, whatever length the plugin claims.
Result<std::string> save(const PluginInfo& plugin, void* self) {
  std::string out(kMaxSavedBytes, '\0');
  llv_text text{sizeof(llv_text), kMaxSavedBytes, 0, 0, out.data()};
  const std::int32_t code = plugin.table.save(self, &text);
  if (code == LLV_E_TOO_SMALL) {
    return Error(plugin.id + " has more to save than " + std::to_string(kMaxSavedBytes) + " bytes");
  }
  if (code < 0) {
    return Error(plugin.id + " could not save its state: " +
                 clean_text(out.data(), std::min(text.length, kMaxSavedBytes)));
  }
  out.resize(std::min(text.length, kMaxSavedBytes));
  return ok(std::move(out));
}

Result<void> restore(const PluginInfo& plugin, void* self, const std::string& saved) {
  TextOut error;
  const std::int32_t code = plugin.table.restore(self, {saved.data(), saved.size()}, error.get());
  return code < 0
             ? Result<void>(Error(plugin.id + " starts without its predecessor's state: " + error.take()))
             : Result<void>();
}

void give(const std::shared_ptr<PluginInstance>& fresh, std::string saved, std::chrono::milliseconds deadline,
          std::function<void()> done) {
  const PluginInfo& plugin = fresh->info();
  fresh->call(
      deadline, [&plugin, saved = std::move(saved)](void* self) { return restore(plugin, self, saved); },
      [fresh, done = std::move(done)](const Result<void>& outcome) {
        if (!outcome) {
          log_warn(outcome.error().message);
        }
        done();
      });
}

}  // namespace

void hand_over(const std::shared_ptr<PluginInstance>& old, const std::shared_ptr<PluginInstance>& fresh,
               std::chrono::milliseconds deadline, std::function<void()> done) {
  const PluginInfo& plugin = old->info();
  if (plugin.table.save == nullptr || fresh->info().table.restore == nullptr) {
    done();
    return;
  }
  const auto saved = std::make_shared<std::string>();
  old->call(
      deadline,
      [&plugin, saved](void* self) -> Result<void> {
        auto text = save(plugin, self);
        if (!text) {
          return text.error();
        }
        *saved = std::move(*text);
        return {};
      },
      [old, fresh, saved, deadline, done = std::move(done)](const Result<void>& outcome) {
        if (!outcome) {
          log_warn(outcome.error().message);
          done();
          return;
        }
        give(fresh, std::move(*saved), deadline, done);
      });
}

void reconfigure(const std::shared_ptr<PluginInstance>& instance, PluginConfig config,
                 std::chrono::milliseconds deadline, std::function<void(Result<bool>)> done) {
  const PluginInfo& plugin = instance->info();
  if (plugin.table.reconfigure == nullptr) {
    done(false);
    return;
  }
  const auto taken = std::make_shared<bool>(true);
  instance->call(
      deadline,
      [&plugin, taken, config = std::move(config)](void* self) -> Result<void> {
        TextOut error;
        const llv_config table = config.table();
        const std::int32_t code = plugin.table.reconfigure(self, &table, error.get());
        *taken = code != LLV_E_NEEDS_RESTART;
        return code < 0 && *taken
                   ? Result<void>(Error(plugin.id + " did not take its new values: " + error.take()))
                   : Result<void>();
      },
      [instance, taken, done = std::move(done)](const Result<void>& outcome) {
        done(outcome ? Result<bool>(*taken) : outcome.error());
      });
}

}  // namespace llamavisor
