// Start, stop and signals: see the life in supervisor.h.
#include "app/supervisor.h"

#include <csignal>

#include "base/log.h"
#include "base/trim.h"
#include "base/units.h"
#include "ollama/process_group.h"
#include "plugin_host/plugin_calls.h"
#include "store/paths.h"

namespace llamavisor {

namespace asio = boost::asio;

Supervisor::Supervisor(asio::io_context& io, LoadedConfig config)
    : io_(io),
      config_(std::move(config)),
      engine_([this](const std::string& report) {
        events_.add(
            {.kind = EventKind::plugin_failed, .summary = "A plugin failed", .sentence = report + "."});
      }),
      log_(io, workers_, config_.log_file_options()),
      server_(io, workers_, clock_, log_,
              [this](std::uint16_t port, bool automatic_restart) {
                return launch_plan(port, automatic_restart);
              }),
      tasks_(io, workers_, clock_, server_, config_.models_dir()),
      desk_({io, clock_, ledger_, engine_, executor_, tasks_, events_}),
      sampler_(io, tasks_,
               [this](const Observation& seen, SteadyTime looked_at) {
                 desk_.seen(seen, looked_at);
                 after_sample();
               }),
      signals_(io, SIGTERM, SIGINT, SIGHUP),
      drain_timer_(io),
      due_timer_(io) {
  wire_up();
}

Supervisor::~Supervisor() {
  sampler_.stop();
  control_.reset();
  gateway_.reset();
  workers_.stop();
  workers_.join();
}

void Supervisor::wire_up() {
  ledger_.on_change([this] {
    desk_.pump();                                      // the executor first: a draining model may be idle now
    if (ledger_.used_bytes() > desk_.limit_bytes()) {  // a busy model that was spared may be idle now
      relief_.check();
    }
  });
  ledger_.on_doubt([this] { sampler_.look_soon(); });
  ledger_.on_ready([this](const Residency& residency) {
    events_.add({.kind = EventKind::model_loaded,
                 .summary = "Loaded " + residency.name,
                 .sentence = "Loaded " + residency.name + " with num_ctx " +
                             std::to_string(residency.num_ctx.value_or(0)) + ", " +
                             format_bytes(residency.charge_bytes()) + " expected.",
                 .model = residency.name});
    desk_.loaded(residency);
    sampler_.look_soon();
  });
  ledger_.set_rules([this](const std::string& name) { return rule_for(config_.settings, name); });
  ledger_.on_use([this](const Residency& residency) {
    engine_.shadow().note_use(residency.name, ledger_.reload(residency));
  });
  notify_listener_ = events_.listen([this](const Event& event) { notify_.push(event); });
  server_.on_change([this](ServerState state) { server_changed(state); });
  gateway_ = std::make_unique<Gateway>(
      io_, clock_, desk_, config_.settings.gateway,
      Gateway::Hooks{[this] { return server_port(); }, [this] { sampler_.look_soon(); },
                     allowed_origins(child_env({.settings = config_.settings,
                                                .origins = config_.origins,
                                                .own = config_.environment,
                                                .home = {}}))});
}

int Supervisor::run() {
  become_subreaper();
  on_signal();
  if (auto opened = open_control(); !opened) {
    fail_start(opened.error());
  } else {
    start();
  }
  loop();
  if (plugin_calls_) {
    plugin_calls_->end_cleanly();
  }
  return exit_code_;
}

// What throws here is a fault of ours or want of memory. It ends what it happened in, not the service.
void Supervisor::loop() {
  while (!io_.stopped()) {
    try {
      io_.run();
    } catch (const std::exception& error) {
      log_error(std::string("internal error, going on: ") + error.what());
    }
  }
}

Result<void> Supervisor::open_control() {
  auto control = start_control_server(io_, control_socket_path(), *this);
  if (!control) {
    return control.error();
  }
  control_ = std::move(*control);
  return {};
}

// The port is taken before the server is started: a second supervisor, or a plain Ollama on it, is found out
// first. Requests that come early are held.
void Supervisor::start() {
  const auto address = parse_listen(config_.listen());
  if (!address) {
    fail_start(address.error());
    return;
  }
  if (auto listening = gateway_->listen(*address); !listening) {
    fail_start(listening.error());
    return;
  }
  if (!address->loopback()) {
    log_warn("listening on " + address->text() + ": everybody who reaches this address can use the models");
  }
  record_history();
  apply(config_);
  watch_plugins();
  load_policies([this] { start_server(); });
}

void Supervisor::start_server() {
  if (stops_asked_ > 0) {
    return;
  }
  started_num_ctx_ = default_num_ctx();
  apply(config_);
  server_.start([this](const Result<void>& ready) {
    if (!ready) {
      fail_start(ready.error());
      return;
    }
    opened();
  });
}

void Supervisor::opened() {
  sampler_.start(config_.settings.monitor_interval);
  ask_due();
  log_info("serving on " + gateway_->address() + " with Ollama " + server_.version() + ", profile " +
           config_.settings.profile + ", budget " + format_bytes(desk_.limit_bytes()));
  give_back_start_memory();
}

void Supervisor::fail_start(const Error& error) {
  log_error(error.text());
  exit_code_ = 1;
  stop_server();
}

void Supervisor::on_signal() {
  signals_.async_wait([this](const boost::system::error_code& ec, int signal) {
    if (ec) {
      return;
    }
    if (signal == SIGHUP) {
      reload();
    } else {
      stop_gracefully();
    }
    on_signal();
  });
}

// First signal: drain within the bound. Second: do not wait any longer.
void Supervisor::stop_gracefully() {
  if (++stops_asked_ > 1) {
    log_info("stopping now");
    stop_server();
    return;
  }
  const auto bound = config_.settings.server.drain_timeout;
  log_info("stopping: requests in flight have " + format_duration(bound) + " to end");
  drain_timer_.expires_after(bound);
  drain_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      stop_server();
    }
  });
  gateway_->drain([this] {
    drain_timer_.cancel();
    stop_server();
  });
}

void Supervisor::stop_server() {
  sampler_.stop();
  due_timer_.cancel();
  gateway_->close_all();
  drain_timer_.cancel();
  const auto end = [this](const Result<void>& stopped) {
    if (!stopped) {
      log_error(stopped.error().text());
      exit_code_ = 1;
    }
    control_.reset();
    signals_.cancel();
    io_.stop();
  };
  if (std::exchange(server_stopping_, true)) {
    server_.stop([](const Result<void>&) {});  // now
    return;
  }
  if (config_.settings.server.unload_on_stop && server_.state() == ServerState::ready) {
    unload_all([this, end] { server_.stop(end); });
  } else {
    server_.stop(end);
  }
}

void Supervisor::unload_all(const std::function<void()>& done) {
  const auto left = std::make_shared<std::size_t>(ledger_.all().size());
  if (*left == 0) {
    done();
    return;
  }
  for (const auto& [key, residency] : ledger_.all()) {
    tasks_.unload({residency->name, "", residency->runner, config_.settings.memory.unload_timeout},
                  [left, done](const Result<UnloadOutcome>&) {
                    if (--*left == 0) {
                      done();
                    }
                  });
  }
}

// A server that is gone took all its runners along.
void Supervisor::server_changed(ServerState state) {
  if (state == ServerState::ready) {
    events_.add({.kind = EventKind::server_ready,
                 .summary = "Ollama is ready",
                 .sentence = "Ollama " + server_.version() + " is ready (pid " +
                             std::to_string(server_.pid().value_or(0)) + ")."});
  } else if (state == ServerState::backoff) {
    const auto& failure = server_.last_failure();
    events_.add({.kind = EventKind::server_down,
                 .summary = "Ollama went down",
                 .sentence = (failure ? failure->sentence : "The server ended") + "; it is started again."});
    std::vector<std::string> keys;
    for (const auto& [key, residency] : ledger_.all()) {
      keys.push_back(key);
    }
    for (const std::string& key : keys) {
      ledger_.remove(key);
    }
  }
  gateway_->server_changed();
  if (state == ServerState::ready) {
    sampler_.look_soon();
  }
}

std::optional<std::uint16_t> Supervisor::server_port() const {
  return server_.port();
}

void Supervisor::after_sample() {
  relief_.check();
}

// A policy that unloads on its own account is asked more often than the memory is looked at.
void Supervisor::ask_due() {
  constexpr std::chrono::seconds kDueInterval{2};
  if (engine_.acts_unasked() && server_.state() == ServerState::ready) {
    relief_.check_due();
  }
  due_timer_.expires_after(kDueInterval);
  due_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      ask_due();
    }
  });
}

}  // namespace llamavisor
