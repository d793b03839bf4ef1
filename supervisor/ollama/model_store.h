// The installed models, read from Ollama's own manifests and blobs; nothing is ever written there.
// Thread: any; calls may overlap. Blocking.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/model.h"

namespace llamavisor {

class ModelStore {
 public:
  // `dir` is OLLAMA_MODELS: it holds manifests/ and blobs/.
  explicit ModelStore(std::string dir) : dir_(std::move(dir)) {}

  [[nodiscard]] const std::string& dir() const { return dir_; }
  // All that can be read, by name. A manifest that makes no sense is passed over.
  std::vector<InstalledModel> list();
  // Absent: no manifest of that name. An error: there is one, but it cannot be read.
  Result<std::optional<InstalledModel>> resolve(const std::string& name);
  // Names whose model blob this is ("sha256:<hex>").
  std::vector<std::string> names_for_blob(const std::string& digest);

 private:
  struct Shape {
    std::uint64_t size = 0;
    std::int64_t written = 0;
    std::optional<ModelShape> shape;
  };
  Result<InstalledModel> read_manifest(const std::string& path, const std::string& name);
  std::optional<ModelShape> shape_of(const std::string& blob_path);

  const std::string dir_;
  std::mutex mutex_;
  std::map<std::string, Shape> shapes_;  // headers read once a blob
};

// $OLLAMA_MODELS, else ~/.ollama/models.
std::string default_models_dir();

}  // namespace llamavisor
