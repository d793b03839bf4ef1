#include "plugin_host/instance.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "base/units.h"
#include "plugin_host/call_thread.h"

namespace llamavisor {
namespace {

constexpr std::size_t kMaxReasonBytes = 500;

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

const void* no_extension(void*, const char*) noexcept {
  return nullptr;
}

// How many bytes the UTF-8 character at the start of `text` takes; 0: it is not one.
std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t n = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : (lead & 0xf0U) == 0xe0      ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (n == 0 || n > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < n; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80) {
      return 0;
    }
  }
  return n;
}

}  // namespace

// The library is the first member: it is let go last.
struct PluginInstance::Core {
  std::shared_ptr<PluginLibrary> library;
  PluginInfo info;
  PluginConfig config;
  boost::asio::io_context& io;
  const Clock& clock;
  llv_host host{};
  void* self = nullptr;

  explicit Core(Parts parts)
      : library(std::move(parts.library)),
        info(std::move(parts.info)),
        config(std::move(parts.config)),
        io(parts.io),
        clock(parts.clock) {
    host.struct_size = sizeof host;
    host.abi_minor = LLV_ABI_MINOR;
    host.ctx = this;
    host.log = [](void* ctx, std::int32_t level, llv_str text) noexcept {
      host_log(&static_cast<Core*>(ctx)->info.id, level, text);
    };
    host.now_ns = [](void* ctx) noexcept {
      return static_cast<std::uint64_t>(static_cast<Core*>(ctx)->clock.now().time_since_epoch().count());
    };
    host.get_extension = &no_extension;
  }
};

std::string clean_text(const char* data, std::uint64_t size) {
  if (data == nullptr) {
    return {};
  }
  std::string_view text(data, std::min<std::uint64_t>(size, kMaxReasonBytes));
  std::string out;
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    const bool control = n == 1 && static_cast<unsigned char>(text[0]) < 0x20;
    out += n == 0 ? "?" : control ? " " : std::string(text.substr(0, n));
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

TextOut::TextOut() {
  text_ = {sizeof text_, sizeof data_, 0, 0, data_};
}

// The claimed length is not trusted beyond the buffer.
std::string TextOut::take() const {
  return clean_text(data_, std::min<std::uint64_t>(text_.length, sizeof data_));
}

PluginInstance::PluginInstance(std::shared_ptr<Core> core)
    : core_(std::move(core)), thread_(CallThread::start()) {}

PluginInstance::~PluginInstance() {
  thread_->post([core = std::move(core_)]() mutable {
    if (core->self != nullptr) {
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
    Result<void> outcome;
    try {
      outcome = work(core->self);
    } catch (const std::exception& error) {
      outcome = Error(core->info.id + " threw through the C interface: " + error.what());
    } catch (...) {
      outcome = Error(core->info.id + " threw through the C interface");
    }
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
