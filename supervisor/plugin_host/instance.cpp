#include "plugin_host/instance.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "base/units.h"
#include "plugin_host/call_thread.h"
#include "plugin_host/isolated_plugin.h"
#include "plugin_host/plugin_calls.h"

namespace llamavisor {
namespace {

void host_log(void* ctx, std::int32_t level, llv_str text) noexcept {
  const auto& id = *static_cast<const std::string*>(ctx);
  const std::string line = "plugin " + id + ": " + clean_text(text.data, text.size);
  if (level >= LLV_LOG_ERROR) {
    log_error(line);
  } else if (level == LLV_LOG_WARN) {
    log_warn(line);
  } else if (level == LLV_LOG_INFO) {
    log_info(line);
  } else {
    log_debug(line);
  }
}

class InsideCall {
 public:
  explicit InsideCall(PluginCalls::Slot& slot) : slot_(slot) { slot_.begin(); }
  InsideCall(const InsideCall&) = delete;
  InsideCall& operator=(const InsideCall&) = delete;
  ~InsideCall() { slot_.end(); }

 private:
  PluginCalls::Slot& slot_;
};

}  // namespace

// The library is the first member: it is let go last.
struct PluginInstance::Core {
  std::shared_ptr<PluginLibrary> library;
  PluginInfo info;
  PluginConfig config;
  boost::asio::io_context& io;
  const Clock& clock;
  const bool inline_calls;
  llv_host host{};
  void* self = nullptr;
  PluginCalls::Slot slot;

  explicit Core(Parts parts)
      : library(std::move(parts.library)),
        info(std::move(parts.info)),
        config(std::move(parts.config)),
        io(parts.io),
        clock(parts.clock),
        inline_calls(parts.inline_calls),
        slot(parts.calls && !info.isolation ? parts.calls->take(info.id, parts.role) : PluginCalls::Slot()) {
    host.struct_size = sizeof host;
    host.abi_minor = LLV_ABI_MINOR;
    host.ctx = this;
    host.log = [](void* ctx, std::int32_t level, llv_str text) noexcept {
      host_log(&static_cast<Core*>(ctx)->info.id, level, text);
    };
    host.now_ns = [](void* ctx) noexcept {
      return static_cast<std::uint64_t>(static_cast<Core*>(ctx)->clock.now().time_since_epoch().count());
    };
    host.get_extension = [](void* ctx, const char* id) noexcept -> const void* {
      return std::string_view(id) == kIsolationPlan ? static_cast<Core*>(ctx)->info.isolation.get() : nullptr;
    };
  }

  [[nodiscard]] Result<void> run(const std::function<Result<void>(void*)>& work) {
    try {
      const InsideCall inside(slot);
      return work(self);
    } catch (const std::exception& error) {
      return Error(info.id + " threw through the C interface: " + error.what());
    } catch (...) {
      return Error(info.id + " threw through the C interface");
    }
  }
};

PluginInstance::PluginInstance(std::shared_ptr<Core> core)
    : core_(std::move(core)), thread_(CallThread::start()) {}

PluginInstance::~PluginInstance() {
  thread_->post([core = std::move(core_)]() mutable {
    if (core->self != nullptr) {
      const InsideCall inside(core->slot);
      core->info.table.destroy(core->self);
    }
    core.reset();
  });
  if (!thread_->finish(kEndBound)) {
    log_warn("a plugin did not end within " + format_duration(kEndBound) + "; it is left behind");
  }
}

const PluginInfo& PluginInstance::info() const {
  return core_->info;
}

void PluginInstance::start(Parts parts, std::chrono::milliseconds deadline,
                           std::function<void(Result<std::shared_ptr<PluginInstance>>)> done) {
  std::shared_ptr<PluginInstance> made(new PluginInstance(std::make_shared<Core>(std::move(parts))));
  const auto core = made->core_;
  made->call(
      deadline,
      [core](void*) -> Result<void> {
        TextOut error;
        const llv_config config = core->config.table();
        void* self = nullptr;
        const std::int32_t code = core->info.table.create(&core->host, &config, error.get(), &self);
        if (code < 0) {
          return Error(core->info.id + " could not start: " + error.take());
        }
        core->self = self;
        return {};
      },
      [made, done = std::move(done)](const Result<void>& outcome) {
        done(outcome ? Result<std::shared_ptr<PluginInstance>>(made) : outcome.error());
      });
}

void PluginInstance::call(std::chrono::milliseconds deadline, std::function<Result<void>(void*)> work,
                          Answer done) {
  if (core_->inline_calls) {
    done(core_->run(work));
    return;
  }
  if (strikes_ >= kMaxStrikes) {
    boost::asio::post(core_->io, [done = std::move(done), id = core_->info.id] {
      done(Error(id + " is switched off: it overran its deadline " + std::to_string(kMaxStrikes) + " times"));
    });
    return;
  }
  struct Pending {
    boost::asio::steady_timer timer;
    Answer done;  // empty once answered
  };
  const auto pending =
      std::make_shared<Pending>(Pending{boost::asio::steady_timer(core_->io), std::move(done)});
  const auto self = shared_from_this();
  pending->timer.expires_after(deadline);
  pending->timer.async_wait([self, pending, deadline](const boost::system::error_code& ec) {
    if (!ec && pending->done) {
      ++self->strikes_;
      std::exchange(pending->done,
                    nullptr)(Error(self->info().id + " did not answer within " + format_duration(deadline)));
    }
  });
  const auto core = core_;
  auto guard = boost::asio::make_work_guard(core->io);
  thread_->post([core, pending, weak = weak_from_this(), guard, work = std::move(work)] {
    const Result<void> outcome = core->run(work);
    boost::asio::post(core->io, [pending, weak, outcome] {
      pending->timer.cancel();
      if (const auto alive = weak.lock(); alive && pending->done) {
        alive->strikes_ = 0;
      }
      if (pending->done) {
        std::exchange(pending->done, nullptr)(outcome);
      }
    });
  });
}

}  // namespace llamavisor
