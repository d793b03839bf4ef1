// Our own calls to the server. A value: make one per call from the port of the moment.
// Thread: any but the io thread: every function blocks up to its time-out (run_on_worker.h).
// Nothing here sends DELETE: it removes models from disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ollama/wire.h"

namespace llamavisor {

class OllamaClient {
 public:
  explicit OllamaClient(std::uint16_t port) : port_(port) {}

  // GET /api/version. Answered without any lock of Ollama's scheduler: the server lives.
  [[nodiscard]] Result<std::string> version(std::chrono::milliseconds timeout) const;

  // GET /api/ps. May block behind an unload or a hung runner. Poll rarely: before 0.32.4 a poll that meets a
  // load or an unload can crash the server.
  [[nodiscard]] Result<std::vector<LoadedModel>> ps(std::chrono::milliseconds timeout) const;

  // Asks the server to unload; the unload itself comes later, after requests in flight. Also right for a
  // model that is not loaded. On old servers a call for a model that is being loaded blocks until it is.
  [[nodiscard]] Result<void> unload(const std::string& model, std::chrono::milliseconds timeout) const;

  // Sets the keep_alive of a loaded model. `num_ctx` must be the one it is loaded with, else it is loaded
  // anew; a model that is not loaded gets loaded.
  [[nodiscard]] Result<void> touch(const std::string& model, const KeepAlive& keep_alive,
                                   std::optional<std::uint32_t> num_ctx,
                                   std::chrono::milliseconds timeout) const;

 private:
  [[nodiscard]] Result<void> generate(const std::string& body, std::chrono::milliseconds timeout) const;

  std::uint16_t port_;
};

}  // namespace llamavisor
