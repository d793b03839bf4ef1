// A notification daemon for tests: owns org.freedesktop.Notifications on the session bus and prints each
// Notify as one line of JSON. Prints "ready" first.
#include <systemd/sd-bus.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <string>

namespace {

int on_notify(sd_bus_message* message, void*, sd_bus_error*) {
  const char* app = nullptr;
  const char* icon = nullptr;
  const char* summary = nullptr;
  const char* body = nullptr;
  std::uint32_t replaces = 0;
  if (sd_bus_message_read(message, "susss", &app, &replaces, &icon, &summary, &body) < 0) {
    return -1;
  }
  const boost::json::object note{{"app_name", app}, {"summary", summary}, {"body", body}};
  std::printf("%s\n", boost::json::serialize(note).c_str());
  std::fflush(stdout);
  return sd_bus_reply_method_return(message, "u", 1U);
}

int on_capabilities(sd_bus_message* message, void*, sd_bus_error*) {
  return sd_bus_reply_method_return(message, "as", 1, "body");
}

int on_information(sd_bus_message* message, void*, sd_bus_error*) {
  return sd_bus_reply_method_return(message, "ssss", "test", "llamavisor", "1", "1.2");
}

const sd_bus_vtable kTable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", on_notify, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetCapabilities", "", "as", on_capabilities, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetServerInformation", "", "ssss", on_information, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END};

}  // namespace

int main() {
  sd_bus* bus = nullptr;
  if (sd_bus_open_user(&bus) < 0 ||
      sd_bus_add_object_vtable(bus, nullptr, "/org/freedesktop/Notifications",
                               "org.freedesktop.Notifications", kTable, nullptr) < 0 ||
      sd_bus_request_name(bus, "org.freedesktop.Notifications", 0) < 0) {
    std::fputs("no session bus\n", stderr);
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  while (sd_bus_process(bus, nullptr) >= 0 && sd_bus_wait(bus, UINT64_MAX) >= 0) {
  }
  sd_bus_unref(bus);
  return 0;
}
