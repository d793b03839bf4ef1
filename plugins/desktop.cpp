// desktop: shows events on the desktop, over org.freedesktop.Notifications on the user's session bus.
//
// The connection is opened with the first event and kept; if it is gone, the next event opens a new one, so
// that a bus or a daemon that comes back is used again. Everything that waits for the bus has one deadline.
// A burst of events of one kind that outlasts the host's coalescing shows in one bubble: the newer one
// replaces the older while that is no older than ten seconds.
#include <map>

#include "notifications.h"

namespace {

using namespace llamavisor;
using namespace llamavisor::notifications;

constexpr std::chrono::seconds kBurst{10};

struct Bubble {
  std::uint32_t id = 0;  // 0: a new one
  nanoseconds shown{0};
};

class Desktop final : public Notifier {
 public:
  Desktop(Host host, const Config& config) : host_(host), timeout_(config.duration("timeout")) {}

  void on_event(const Event& event) override {
    const Deadline deadline(timeout_);
    const bool kept = bus_ != nullptr;
    try {
      show(event, deadline);
    } catch (const PluginError&) {
      bus_.reset();
      bubbles_.clear();
      if (!kept || deadline.passed()) {
        throw;
      }
      show(event, deadline);  // the kept connection was dead: once more with a new one
    }
  }

 private:
  void show(const Event& event, const Deadline& deadline) {
    if (bus_ == nullptr) {
      bus_ = open_bus(deadline);
    }
    const bool markup = capabilities(bus_.get(), deadline).count("body-markup") > 0;
    const std::string body = markup ? escape_markup(event.body) : std::string(event.body);
    Bubble& bubble = bubbles_[std::string(event.kind)];
    const nanoseconds now = host_.now();
    const std::uint32_t replaces = now - bubble.shown <= kBurst ? bubble.id : 0;
    bubble = {notify(event, body, replaces, deadline), now};
  }

  [[nodiscard]] std::uint32_t notify(const Event& event, const std::string& body, std::uint32_t replaces,
                                     const Deadline& deadline) const {
    const MessagePtr message = new_call(bus_.get(), "Notify");
    const auto urgency = static_cast<std::uint8_t>(event.urgency);
    require(sd_bus_message_append(message.get(), "susssasa{sv}i", "llamavisor", replaces, "",
                                  std::string(event.summary).c_str(), body.c_str(), 0, 1, "urgency", "y",
                                  urgency, -1),
            "building a message");
    return notifications::show(bus_.get(), message.get(), deadline);
  }

  Host host_;
  nanoseconds timeout_;
  BusPtr bus_;
  std::map<std::string, Bubble> bubbles_;  // the latest one of each kind
};

}  // namespace

LLV_PLUGIN(Desktop, "desktop", "1.0.0", "Shows events as desktop notifications",
           key(LLV_KEY_DURATION, "timeout", "2s",
               "how long to wait for the bus and the daemon; keep it below the notify deadline", 1e7, 6e10))
