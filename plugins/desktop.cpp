// desktop: shows events on the desktop, over org.freedesktop.Notifications on the user's session bus.
//
// The connection is opened with the first event and kept; if it is gone, the next event opens a new one, so
// that a bus or a daemon that comes back is used again. Everything that waits for the bus has one deadline.
// A burst of events of one kind that outlasts the host's coalescing shows in one bubble: the newer one
// replaces the older while that is no older than ten seconds.
#include <systemd/sd-bus.h>

#include <cerrno>
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>
#include <map>
#include <memory>

namespace {

using namespace llamavisor;
using std::chrono::microseconds;
using std::chrono::steady_clock;

constexpr const char* kService = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";
constexpr std::chrono::seconds kBurst{10};

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }  // does not flush: that could block
};
struct UnrefMessage {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using BusPtr = std::unique_ptr<sd_bus, CloseBus>;
using MessagePtr = std::unique_ptr<sd_bus_message, UnrefMessage>;

class BusError {
 public:
  BusError() = default;
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  ~BusError() { sd_bus_error_free(&error_); }
  sd_bus_error* get() { return &error_; }
  [[nodiscard]] bool is(const char* name) const { return sd_bus_error_has_name(&error_, name) != 0; }
  [[nodiscard]] std::string text(int result) const {
    return error_.message != nullptr ? error_.message : std::system_category().message(-result);
  }

 private:
  sd_bus_error error_{};
};

class Deadline {
 public:
  explicit Deadline(nanoseconds from_now) : at_(steady_clock::now() + from_now) {}
  // At least 1 us: to sd-bus 0 means "the default", which is 25 s.
  [[nodiscard]] std::uint64_t left_us() const {
    const auto left = std::chrono::duration_cast<microseconds>(at_ - steady_clock::now()).count();
    return left > 0 ? static_cast<std::uint64_t>(left) : 1;
  }
  [[nodiscard]] bool passed() const { return steady_clock::now() >= at_; }

 private:
  steady_clock::time_point at_;
};

[[noreturn]] void unavailable(const std::string& what, const std::string& why, int result) {
  throw PluginError(result == -ETIMEDOUT ? LLV_E_TIMEOUT : LLV_E_UNAVAILABLE, what + ": " + why);
}

void require(int result, const char* what) {
  if (result < 0) {
    unavailable(what, std::system_category().message(-result), result);
  }
}

// Connects and says hello, both within the deadline.
BusPtr open_bus(const Deadline& deadline) {
  constexpr const char* kWhat = "no session bus";
  sd_bus* raw = nullptr;
  require(sd_bus_open_user(&raw), kWhat);
  BusPtr bus(raw);
  while (sd_bus_is_ready(bus.get()) <= 0) {
    if (deadline.passed()) {
      require(-ETIMEDOUT, kWhat);
    }
    const int done = sd_bus_process(bus.get(), nullptr);
    require(done, kWhat);
    if (done == 0) {
      require(sd_bus_wait(bus.get(), deadline.left_us()), kWhat);
    }
  }
  return bus;
}

MessagePtr new_call(sd_bus* bus, const char* method) {
  sd_bus_message* raw = nullptr;
  require(sd_bus_message_new_method_call(bus, &raw, kService, kPath, kService, method), "building a message");
  return MessagePtr(raw);
}

MessagePtr call(sd_bus* bus, sd_bus_message* message, const Deadline& deadline, BusError& error,
                int& result) {
  sd_bus_message* reply = nullptr;
  result = sd_bus_call(bus, message, deadline.left_us(), error.get(), &reply);
  return MessagePtr(reply);
}

// Does the daemon read markup in bodies? One that does would take "<" in plain text for a tag.
bool reads_markup(sd_bus* bus, const Deadline& deadline) {
  BusError error;
  int result = 0;
  const MessagePtr reply = call(bus, new_call(bus, "GetCapabilities").get(), deadline, error, result);
  if (error.is(SD_BUS_ERROR_UNKNOWN_METHOD)) {
    return false;
  }
  if (result < 0) {
    unavailable("no notification daemon", error.text(result), result);
  }
  const char* capability = nullptr;
  bool found = false;
  require(sd_bus_message_enter_container(reply.get(), 'a', "s"), "reading the daemon's capabilities");
  while (sd_bus_message_read_basic(reply.get(), 's', &capability) > 0) {
    found = found || std::string_view(capability) == "body-markup";
  }
  return found;
}

std::string escape_markup(std::string_view plain) {
  std::string out;
  for (const char c : plain) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

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
    const std::string body =
        reads_markup(bus_.get(), deadline) ? escape_markup(event.body) : std::string(event.body);
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
    BusError error;
    int result = 0;
    const MessagePtr reply = call(bus_.get(), message.get(), deadline, error, result);
    if (result < 0) {
      unavailable("the notification was not shown", error.text(result), result);
    }
    std::uint32_t id = 0;
    require(sd_bus_message_read_basic(reply.get(), 'u', &id), "reading the daemon's answer");
    return id;
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
