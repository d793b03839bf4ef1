// org.freedesktop.Notifications over sd-bus, with a deadline for everything: for desktop and ask.
// Errors are PluginErrors: LLV_E_TIMEOUT, or LLV_E_UNAVAILABLE with the reason.
#pragma once

#include <systemd/sd-bus.h>

#include <cerrno>
#include <llamavisor/plugin.hpp>
#include <memory>
#include <set>

namespace llamavisor::notifications {

using std::chrono::microseconds;
using std::chrono::steady_clock;

inline constexpr const char* kService = "org.freedesktop.Notifications";
inline constexpr const char* kPath = "/org/freedesktop/Notifications";

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

[[noreturn]] inline void unavailable(const std::string& what, const std::string& why, int result) {
  throw PluginError(result == -ETIMEDOUT ? LLV_E_TIMEOUT : LLV_E_UNAVAILABLE, what + ": " + why);
}

inline void require(int result, const char* what) {
  if (result < 0) {
    unavailable(what, std::system_category().message(-result), result);
  }
}

// Connects and says hello, both within the deadline.
inline BusPtr open_bus(const Deadline& deadline) {
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

inline MessagePtr new_call(sd_bus* bus, const char* method) {
  sd_bus_message* raw = nullptr;
  require(sd_bus_message_new_method_call(bus, &raw, kService, kPath, kService, method), "building a message");
  return MessagePtr(raw);
}

inline MessagePtr call(sd_bus* bus, sd_bus_message* message, const Deadline& deadline, BusError& error,
                       int& result) {
  sd_bus_message* reply = nullptr;
  result = sd_bus_call(bus, message, deadline.left_us(), error.get(), &reply);
  return MessagePtr(reply);
}

// What the daemon can do: "actions" (buttons), "body-markup" (it would take "<" in plain text for a tag), ...
inline std::set<std::string> capabilities(sd_bus* bus, const Deadline& deadline) {
  BusError error;
  int result = 0;
  const MessagePtr reply = call(bus, new_call(bus, "GetCapabilities").get(), deadline, error, result);
  if (error.is(SD_BUS_ERROR_UNKNOWN_METHOD)) {
    return {};
  }
  if (result < 0) {
    unavailable("no notification daemon", error.text(result), result);
  }
  const char* capability = nullptr;
  std::set<std::string> found;
  require(sd_bus_message_enter_container(reply.get(), 'a', "s"), "reading the daemon's capabilities");
  while (sd_bus_message_read_basic(reply.get(), 's', &capability) > 0) {
    found.insert(capability);
  }
  return found;
}

// Sends a Notify that was built, and gives its id.
inline std::uint32_t show(sd_bus* bus, sd_bus_message* message, const Deadline& deadline) {
  BusError error;
  int result = 0;
  const MessagePtr reply = call(bus, message, deadline, error, result);
  if (result < 0) {
    unavailable("the notification was not shown", error.text(result), result);
  }
  std::uint32_t id = 0;
  require(sd_bus_message_read_basic(reply.get(), 'u', &id), "reading the daemon's answer");
  return id;
}

inline std::string escape_markup(std::string_view plain) {
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

}  // namespace llamavisor::notifications
