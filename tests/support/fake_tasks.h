// Server tasks without a server: models are names with sizes, and answers come through the io context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <string>
#include <vector>

#include "actions/server_tasks.h"
#include "domain/model.h"

namespace llamavisor::test {

class FakeTasks : public ServerTasks {
 public:
  FakeTasks(boost::asio::io_context& io, const Clock& clock) : io_(io), clock_(clock) {}

  void install(const std::string& name, std::uint64_t bytes, std::uint64_t bytes_per_1k_ctx = 0) {
    InstalledModel model;
    model.name = canonical_model_name(name);
    model.blob_digest = "sha256:" + name;
    model.weights_bytes = bytes;
    installed_[model.name] = model;
    per_1k_[model.blob_digest] = bytes_per_1k_ctx;
  }
  void alias(const std::string& name, const std::string& of) {
    installed_[canonical_model_name(name)] = installed_[canonical_model_name(of)];
  }

  void look(std::function<void(Observation, SteadyTime)> done) override {
    Observation seen;
    for (const auto& [digest, name] : running) {
      RunnerSample runner;
      runner.blob_digest = digest;
      seen.sample.runners.push_back(runner);
    }
    boost::asio::post(io_, [seen, done, at = clock_.now()] { done(seen, at); });
  }
  void resolve(const std::string& name,
               std::function<void(Result<std::optional<InstalledModel>>)> done) override {
    const auto it = installed_.find(name);
    std::optional<InstalledModel> found;
    if (it != installed_.end()) {
      found = it->second;
    }
    boost::asio::post(io_, [found, done] { done(found); });
  }
  void unload(const UnloadJob& job, std::function<void(Result<UnloadOutcome>)> done) override {
    may_end_runner = job.may_end_runner;
    if (stubborn) {
      const auto timer = std::make_shared<boost::asio::steady_timer>(io_, std::chrono::milliseconds(20));
      timer->async_wait([done, timer](auto) { done(Error("its runner does not end")); });
      return;
    }
    unloaded.push_back(job.name);
    running.erase(job.blob_digest);
    boost::asio::post(io_, [done] { done(UnloadOutcome{100, 1000, false}); });
  }
  void set_keep_alive(const std::string& name, std::optional<std::uint32_t>, const KeepAlive&) override {
    kept_alive.push_back(name);
  }
  Forecast forecast(const InstalledModel& model, std::uint32_t num_ctx) const override {
    Forecast out;
    out.bytes = model.weights_bytes + per_1k_.at(model.blob_digest) * num_ctx / 1024;
    return out;
  }

  std::map<std::string, std::string> running;  // digest -> name
  std::vector<std::string> unloaded;
  std::vector<std::string> kept_alive;
  bool stubborn = false;
  bool may_end_runner = false;  // of the last job

 private:
  boost::asio::io_context& io_;
  const Clock& clock_;
  std::map<std::string, InstalledModel> installed_;
  std::map<std::string, std::uint64_t> per_1k_;
};

}  // namespace llamavisor::test
