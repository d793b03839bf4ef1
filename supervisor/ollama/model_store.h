// The installed models, read from Ollama's own manifests and blobs; nothing is ever written there.
// What was read is kept until its file changes (inode, size, time of writing), so that asking again costs
// some stat calls; what is kept of files that are gone is dropped by the next list().
// Thread: any; calls may overlap (a mutex guards what is kept, never held while a file is read). Blocking.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/model.h"
#include "ollama/manifest.h"

namespace llamavisor {

class ModelStore {
 public:
  // `dir` is OLLAMA_MODELS: it holds manifests/ and blobs/.
  explicit ModelStore(std::string dir) : dir_(std::move(dir)) {}

  [[nodiscard]] const std::string& dir() const { return dir_; }
  // All models with weights on this machine, by name. A manifest that makes no sense is passed over and
  // named in the log, once for each version of the file.
  std::vector<InstalledModel> list();
  // Absent: no manifest of that name, or one without weights (a cloud model). An error: there is a manifest,
  // but it cannot be read.
  Result<std::optional<InstalledModel>> resolve(const std::string& name);
  // Names whose model blob this is ("sha256:<hex>"), sorted.
  std::vector<std::string> names_for_blob(const std::string& digest);

 private:
  struct Stamp {
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t written_s = 0;
    std::int64_t written_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  template <class Value>
  struct Kept {
    Stamp stamp;
    Value value;
  };
  using Manifest = Result<std::optional<InstalledModel>>;
  using Shape = std::optional<ModelShape>;  // absent: unreadable or not GGUF

  static std::optional<Stamp> stamp_of(const std::string& path);
  template <class Value, class Read>
  Value keep(std::map<std::string, Kept<Value>>& kept, const std::string& path, const Stamp& stamp,
             Read read);
  Manifest load(const ManifestFile& file);
  void forget_all_but(const std::vector<ManifestFile>& files, const std::vector<InstalledModel>& models);

  const std::string dir_;
  std::mutex mutex_;
  std::map<std::string, Kept<Manifest>> manifests_;  // by path
  std::map<std::string, Kept<Shape>> shapes_;        // by path of the blob
};

// Where Ollama looks by itself: $OLLAMA_MODELS (blanks and quotes around it do not count), else
// ~/.ollama/models.
std::string default_models_dir();

}  // namespace llamavisor
