// The command line, run in this process with a home folder of its own and, when wanted, a fake supervisor.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "cli/cli.h"
#include "control/control_server.h"
#include "support/captured.h"
#include "support/catch.h"
#include "support/environment.h"
#include "support/fake_supervisor.h"
#include "support/file_tree.h"
#include "support/results.h"

namespace llamavisor::testing {

struct CliRig {
  FileTree tree;
  ScopedEnvironment environment;
  std::string socket = tree.root() + "/run/control.sock";

  CliRig() {
    for (const char* name :
         {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "LLAMAVISOR_OLLAMA",
          "LLAMAVISOR_PROFILE", "OLLAMA_HOST", "OLLAMA_MODELS", "OLLAMA_FLASH_ATTENTION",
          "OLLAMA_KV_CACHE_TYPE", "LLAMAVISOR_MEMORY_LIMIT", "NO_COLOR"}) {
      environment.set(name, std::nullopt);
    }
    environment.set("HOME", tree.root());
    environment.set("LLAMAVISOR_SOCKET", socket);
  }

  static Captured run(std::vector<std::string> words) {
    words.insert(words.begin(), "llamavisor");
    std::vector<char*> argv;
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    return captured([&] { return run_cli(static_cast<int>(words.size()), argv.data()); });
  }
};

// Its supervisor runs on a thread of its own; what it is to answer is set before the commands run.
struct LiveRig : CliRig {
  FakeSupervisor supervisor;

  LiveRig() {
    auto started = start_control_server(io_, socket, supervisor);
    REQUIRE(started);
    server_ = std::move(*started);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~LiveRig() {
    boost::asio::post(io_, [this] {
      server_.reset();
      work_.reset();
    });
    thread_.join();
  }
  LiveRig(const LiveRig&) = delete;
  LiveRig& operator=(const LiveRig&) = delete;

  std::vector<std::string> calls() {
    std::promise<std::vector<std::string>> out;
    boost::asio::post(io_, [&] { out.set_value(supervisor.calls); });
    return out.get_future().get();
  }

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(io_);
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

}  // namespace llamavisor::testing
