// Ollama's manifests on disk: manifests/<host>/<namespace>/<model>/<tag>, each a small JSON file that names
// the blobs of one model. Read only; nothing is ever written there.
// Thread: any; blocking. Every file is read up to a bound.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/model.h"

namespace llamavisor {

struct ManifestFile {
  std::string path;
  std::string name;  // canonical
};

// All manifests below `models_dir`, by name; at most kMaxManifests.
std::vector<ManifestFile> find_manifests(const std::string& models_dir);
// The one of that name, whatever the case of its folders, as Ollama looks it up.
std::optional<ManifestFile> find_manifest(const std::string& models_dir, const std::string& name);

inline constexpr std::size_t kMaxManifests = 10'000;
inline constexpr std::size_t kMaxManifestBytes = 1U << 20U;

// Everything but the shape. Absent: it names no weights, as those of cloud models do. A model that is not a
// GGUF file has its bytes and no blob_digest. An error: the file is unreadable or no manifest.
Result<std::optional<InstalledModel>> read_manifest(const std::string& models_dir, const ManifestFile& file);

}  // namespace llamavisor
