// ServerTasks against the real server: libcurl, manifests and /proc on the worker pool.
// Thread: io thread; what runs on workers touches only values and the thread-safe parts named below.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>

#include "actions/server_tasks.h"
#include "forecast/forecast.h"
#include "memory/monitor.h"
#include "ollama/model_store.h"
#include "ollama/server_process.h"

namespace llamavisor {

class WorkerTasks final : public ServerTasks {
 public:
  WorkerTasks(boost::asio::io_context& io, boost::asio::thread_pool& workers, const Clock& clock,
              const ServerProcess& server, const std::string& models_dir);

  void configure(const Settings& settings);
  [[nodiscard]] const std::shared_ptr<ModelStore>& models() const { return models_; }
  // The server answers /api/ps; false: it is too old or does not answer, and the ledger does without.
  [[nodiscard]] bool ps_answers() const { return ps_error_.empty(); }
  [[nodiscard]] const std::string& ps_error() const { return ps_error_; }

  void look(std::function<void(Observation, SteadyTime)> done) override;
  void resolve(const std::string& name,
               std::function<void(Result<std::optional<InstalledModel>>)> done) override;
  void unload(const UnloadJob& job, std::function<void(Result<UnloadOutcome>)> done) override;
  void set_keep_alive(const std::string& name, std::optional<std::uint32_t> num_ctx,
                      const KeepAlive& keep_alive) override;
  [[nodiscard]] Forecast forecast(const InstalledModel& model, std::uint32_t num_ctx) const override;

 private:
  boost::asio::io_context& io_;
  boost::asio::thread_pool& workers_;
  const Clock& clock_;
  const ServerProcess& server_;
  std::shared_ptr<ModelStore> models_;
  ForecastSettings forecast_settings_;
  std::string ps_error_;
};

}  // namespace llamavisor
