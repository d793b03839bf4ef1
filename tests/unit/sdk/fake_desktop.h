// A private session bus and a notification daemon on it, for the test of the desktop plugin.
// Needs dbus-daemon. The bus has no service folder, so that it starts no daemon on its own account.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace sdk_rig {

inline void must(int result, const char* what) {
  if (result < 0) {
    throw std::runtime_error(std::string(what) + ": " + std::system_category().message(-result));
  }
}

// A folder for sockets that DBUS_SESSION_BUS_ADDRESS points into while it lives.
class BusAddress {
 public:
  BusAddress() {
    std::string name = (std::filesystem::temp_directory_path() / "llv-bus-XXXXXX").string();
    must(mkdtemp(name.data()) == nullptr ? -errno : 0, "mkdtemp");
    dir_ = name;
    setenv("DBUS_SESSION_BUS_ADDRESS", address().c_str(), 1);
  }
  BusAddress(const BusAddress&) = delete;
  BusAddress& operator=(const BusAddress&) = delete;
  ~BusAddress() {
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    std::filesystem::remove_all(dir_);
  }
  [[nodiscard]] std::string address() const { return "unix:path=" + socket(); }
  [[nodiscard]] std::string socket() const { return dir_ / "bus"; }
  [[nodiscard]] std::string config() const { return dir_ / "bus.conf"; }

 private:
  std::filesystem::path dir_;
};

// dbus-daemon; ready when the constructor returns, gone after the destructor.
class Bus {
 public:
  explicit Bus(const BusAddress& where) {
    std::filesystem::remove(where.socket());
    std::ofstream(where.config())
        << "<busconfig><type>session</type><auth>EXTERNAL</auth>\n"
        << "<listen>" << where.address() << "</listen>\n"
        << "<policy context='default'><allow send_destination='*' eavesdrop='true'/>\n"
        << "<allow eavesdrop='true'/><allow own='*'/></policy></busconfig>\n";
    std::array<int, 2> ready{};
    must(pipe2(ready.data(), O_CLOEXEC), "pipe");
    std::string name = "dbus-daemon";
    std::string nofork = "--nofork";
    std::string print = "--print-address=1";
    std::string config = "--config-file=" + where.config();
    std::array<char*, 5> argv{name.data(), nofork.data(), print.data(), config.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ready[1], STDOUT_FILENO);
    const int error = posix_spawnp(&pid_, name.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ready[1]);
    char byte = 0;
    const bool up = error == 0 && read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (!up) {
      if (error == 0) {
        stop();
      }
      throw std::runtime_error("dbus-daemon did not start; is it installed?");
    }
  }
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;
  ~Bus() { stop(); }

 private:
  void stop() const {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  pid_t pid_ = -1;
};

struct Shown {
  std::string app, summary, body;
  std::uint32_t replaces;
  int urgency;
  std::uint32_t id;
  std::vector<std::string> actions;  // key, label, key, label ...
};

// org.freedesktop.Notifications on its own thread. `silent`: takes calls and never answers.
class NotificationDaemon {
 public:
  struct Options {
    bool markup = false;
    bool silent = false;
  };
  NotificationDaemon(const BusAddress& where, Options options)
      : options_(options), stop_(eventfd(0, EFD_CLOEXEC)), poke_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    must(sd_bus_new(&bus_), "sd_bus_new");
    must(sd_bus_set_address(bus_, where.address().c_str()), "address");
    must(sd_bus_set_bus_client(bus_, 1), "client");
    must(sd_bus_start(bus_), "start");
    must(sd_bus_add_filter(bus_, nullptr, &handle, this), "filter");
    must(sd_bus_request_name(bus_, "org.freedesktop.Notifications", 0), "name");
    thread_ = std::thread([this] { serve(); });
  }
  NotificationDaemon(const NotificationDaemon&) = delete;
  NotificationDaemon& operator=(const NotificationDaemon&) = delete;
  ~NotificationDaemon() {
    eventfd_write(stop_, 1);
    thread_.join();
    sd_bus_close_unref(bus_);
    close(stop_);
    close(poke_);
  }
  // What the person in front of it does: presses a button, or closes the bubble.
  void press(std::uint32_t id, const std::string& key) { emit({id, key}); }
  void dismiss(std::uint32_t id) { emit({id, ""}); }
  [[nodiscard]] std::vector<std::uint32_t> withdrawn() const {
    const std::lock_guard lock(mutex_);
    return withdrawn_;
  }
  [[nodiscard]] std::vector<Shown> shown() const {
    const std::lock_guard lock(mutex_);
    return shown_;
  }

 private:
  struct Deed {
    std::uint32_t id;
    std::string key;  // empty: closed
  };
  void emit(Deed deed) {
    const std::lock_guard lock(mutex_);
    deeds_.push_back(std::move(deed));
    eventfd_write(poke_, 1);
  }
  void emit_deeds() {
    constexpr const char* kPath = "/org/freedesktop/Notifications";
    constexpr const char* kName = "org.freedesktop.Notifications";
    eventfd_t count = 0;
    eventfd_read(poke_, &count);
    const std::lock_guard lock(mutex_);
    for (const Deed& deed : deeds_) {
      deed.key.empty()
          ? sd_bus_emit_signal(bus_, kPath, kName, "NotificationClosed", "uu", deed.id, 2U)
          : sd_bus_emit_signal(bus_, kPath, kName, "ActionInvoked", "us", deed.id, deed.key.c_str());
    }
    deeds_.clear();
  }
  void serve() {
    std::array<pollfd, 3> fds{{{stop_, POLLIN, 0}, {sd_bus_get_fd(bus_), 0, 0}, {poke_, POLLIN, 0}}};
    while (fds[0].revents == 0) {
      emit_deeds();
      while (sd_bus_process(bus_, nullptr) > 0) {
      }
      const int events = sd_bus_get_events(bus_);
      if (events < 0) {
        return;  // the bus is gone
      }
      fds[1].events = static_cast<short>(events);
      poll(fds.data(), fds.size(), -1);
    }
  }

  static int handle(sd_bus_message* message, void* self, sd_bus_error* /*error*/) {
    return static_cast<NotificationDaemon*>(self)->answer(message);
  }

  int answer(sd_bus_message* message) {
    if (sd_bus_message_is_method_call(message, "org.freedesktop.Notifications", nullptr) <= 0) {
      return 0;
    }
    if (options_.silent) {
      return 1;
    }
    if (sd_bus_message_is_method_call(message, nullptr, "GetCapabilities") > 0) {
      return sd_bus_reply_method_return(message, "as", 2, "body",
                                        options_.markup ? "body-markup" : "actions");
    }
    if (sd_bus_message_is_method_call(message, nullptr, "CloseNotification") > 0) {
      std::uint32_t id = 0;
      must(sd_bus_message_read(message, "u", &id), "CloseNotification");
      const std::lock_guard lock(mutex_);
      withdrawn_.push_back(id);
      return sd_bus_reply_method_return(message, "");
    }
    return record(message);
  }

  int record(sd_bus_message* message) {
    const char *app = nullptr, *icon = nullptr, *summary = nullptr, *body = nullptr;
    Shown one{};
    must(sd_bus_message_read(message, "susss", &app, &one.replaces, &icon, &summary, &body), "Notify");
    must(sd_bus_message_enter_container(message, 'a', "s"), "actions");
    const char* action = nullptr;
    while (sd_bus_message_read_basic(message, 's', &action) > 0) {
      one.actions.emplace_back(action);
    }
    must(sd_bus_message_exit_container(message), "actions");
    std::uint8_t urgency = 0;
    const char* hint = nullptr;
    must(sd_bus_message_read(message, "a{sv}", 1, &hint, "y", &urgency), "hints");
    one.app = app;
    one.summary = summary;
    one.body = body;
    one.urgency = std::string(hint) == "urgency" ? urgency : -1;
    one.id = one.replaces != 0 ? one.replaces : ++last_id_;
    const std::lock_guard lock(mutex_);
    shown_.push_back(one);
    return sd_bus_reply_method_return(message, "u", one.id);
  }

  Options options_;
  int stop_;
  int poke_;
  sd_bus* bus_ = nullptr;
  std::thread thread_;
  std::uint32_t last_id_ = 40;
  mutable std::mutex mutex_;
  std::vector<Shown> shown_;
  std::vector<Deed> deeds_;
  std::vector<std::uint32_t> withdrawn_;
};

}  // namespace sdk_rig
