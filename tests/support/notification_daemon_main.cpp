// A notification daemon for tests: owns org.freedesktop.Notifications on the session bus and prints each
// Notify and each CloseNotification as one line of JSON. Prints "ready" first. A line "press ID KEY" on its
// standard input presses a button, "close ID" closes a bubble; its end ends nothing.
#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <sstream>
#include <string>

namespace {

constexpr const char* kPath = "/org/freedesktop/Notifications";
constexpr const char* kName = "org.freedesktop.Notifications";
std::uint32_t last_id = 0;

void print(const boost::json::object& line) {
  std::printf("%s\n", boost::json::serialize(line).c_str());
  std::fflush(stdout);
}

int on_notify(sd_bus_message* message, void*, sd_bus_error*) {
  const char* app = nullptr;
  const char* icon = nullptr;
  const char* summary = nullptr;
  const char* body = nullptr;
  std::uint32_t replaces = 0;
  if (sd_bus_message_read(message, "susss", &app, &replaces, &icon, &summary, &body) < 0 ||
      sd_bus_message_enter_container(message, 'a', "s") < 0) {
    return -1;
  }
  boost::json::array actions;
  const char* action = nullptr;
  while (sd_bus_message_read_basic(message, 's', &action) > 0) {
    actions.emplace_back(action);
  }
  ++last_id;
  print({{"id", last_id}, {"app_name", app}, {"summary", summary}, {"body", body}, {"actions", actions}});
  return sd_bus_reply_method_return(message, "u", last_id);
}

int on_close(sd_bus_message* message, void*, sd_bus_error*) {
  std::uint32_t id = 0;
  if (sd_bus_message_read(message, "u", &id) < 0) {
    return -1;
  }
  print({{"closed", id}});
  return sd_bus_reply_method_return(message, "");
}

int on_capabilities(sd_bus_message* message, void*, sd_bus_error*) {
  return sd_bus_reply_method_return(message, "as", 2, "body", "actions");
}

int on_information(sd_bus_message* message, void*, sd_bus_error*) {
  return sd_bus_reply_method_return(message, "ssss", "test", "llamavisor", "1", "1.2");
}

const sd_bus_vtable kTable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", on_notify, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CloseNotification", "u", "", on_close, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetCapabilities", "", "as", on_capabilities, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetServerInformation", "", "ssss", on_information, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("ActionInvoked", "us", 0),
    SD_BUS_SIGNAL("NotificationClosed", "uu", 0),
    SD_BUS_VTABLE_END};

void obey(sd_bus* bus, const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  std::uint32_t id = 0;
  std::string key;
  words >> verb >> id >> key;
  if (verb == "press") {
    sd_bus_emit_signal(bus, kPath, kName, "ActionInvoked", "us", id, key.c_str());
  } else if (verb == "close") {
    sd_bus_emit_signal(bus, kPath, kName, "NotificationClosed", "uu", id, 2U);
  }
}

// False: standard input has ended.
bool read_orders(sd_bus* bus, std::string& partial) {
  char piece[256];
  const ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
  partial.append(piece, got > 0 ? static_cast<std::size_t>(got) : 0);
  for (std::size_t end = 0; (end = partial.find('\n')) != std::string::npos; partial.erase(0, end + 1)) {
    obey(bus, partial.substr(0, end));
  }
  return got > 0;
}

void serve(sd_bus* bus) {
  pollfd fds[2] = {{sd_bus_get_fd(bus), 0, 0}, {STDIN_FILENO, POLLIN, 0}};
  std::string partial;
  int done = 1;
  while (done >= 0) {
    do {
      done = sd_bus_process(bus, nullptr);
    } while (done > 0);
    fds[0].events = static_cast<short>(sd_bus_get_events(bus));
    if (done >= 0 && poll(fds, 2, -1) > 0 && fds[1].revents != 0 && !read_orders(bus, partial)) {
      fds[1].fd = -1;
    }
  }
}

}  // namespace

int main() {
  sd_bus* bus = nullptr;
  if (sd_bus_open_user(&bus) < 0 ||
      sd_bus_add_object_vtable(bus, nullptr, kPath, kName, kTable, nullptr) < 0 ||
      sd_bus_request_name(bus, kName, 0) < 0) {
    std::fputs("no session bus\n", stderr);
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  serve(bus);
  sd_bus_unref(bus);
  return 0;
}
