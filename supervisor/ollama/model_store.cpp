#include "ollama/model_store.h"

#include <sys/stat.h>

#include <cstdlib>
#include <set>

#include "base/log.h"
#include "ollama/gguf.h"

namespace llamavisor {

std::optional<ModelStore::Stamp> ModelStore::stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return std::nullopt;
  }
  return Stamp{info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

// `read` runs without the lock; when two threads read the same file the later one's answer stays.
template <class Value, class Read>
Value ModelStore::keep(std::map<std::string, Kept<Value>>& kept, const std::string& path, const Stamp& stamp,
                       Read read) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = kept.find(path);
    if (it != kept.end() && it->second.stamp == stamp) {
      return it->second.value;
    }
  }
  Value fresh = read();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (kept.size() >= kMaxManifests) {
    kept.clear();
  }
  kept.insert_or_assign(path, Kept<Value>{stamp, fresh});
  return fresh;
}

ModelStore::Manifest ModelStore::load(const ManifestFile& file) {
  const auto stamp = stamp_of(file.path);
  if (!stamp) {
    return std::optional<InstalledModel>();  // removed a moment ago
  }
  Manifest out = keep(manifests_, file.path, *stamp, [&] {
    Manifest read = read_manifest(dir_, file);
    if (!read) {
      log_warn("a model is passed over: " + read.error().text());
    }
    return read;
  });
  if (!out || !*out) {
    return out;
  }
  InstalledModel& model = **out;
  if (const auto written = stamp_of(model.blob_path)) {
    model.shape = keep(shapes_, model.blob_path, *written, [&] {
      const auto shape = read_gguf_shape(model.blob_path);
      return shape ? Shape(*shape) : std::nullopt;
    });
  }
  return out;
}

std::vector<InstalledModel> ModelStore::list() {
  const std::vector<ManifestFile> files = find_manifests(dir_);
  std::vector<InstalledModel> out;
  for (const ManifestFile& file : files) {
    if (auto model = load(file); model && *model) {
      out.push_back(std::move(**model));
    }
  }
  forget_all_but(files, out);
  return out;
}

Result<std::optional<InstalledModel>> ModelStore::resolve(const std::string& name) {
  const auto file = find_manifest(dir_, name);
  return file ? load(*file) : std::optional<InstalledModel>();
}

std::vector<std::string> ModelStore::names_for_blob(const std::string& digest) {
  std::vector<std::string> out;
  for (const InstalledModel& model : list()) {
    if (!digest.empty() && model.blob_digest == digest) {
      out.push_back(model.name);
    }
  }
  return out;
}

void ModelStore::forget_all_but(const std::vector<ManifestFile>& files,
                                const std::vector<InstalledModel>& models) {
  std::set<std::string> wanted;
  for (const ManifestFile& file : files) {
    wanted.insert(file.path);
  }
  for (const InstalledModel& model : models) {
    wanted.insert(model.blob_path);
  }
  const auto unwanted = [&](const auto& entry) { return !wanted.contains(entry.first); };
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(manifests_, unwanted);
  std::erase_if(shapes_, unwanted);
}

std::string default_models_dir() {
  const char* set = std::getenv("OLLAMA_MODELS");
  const std::string models = set == nullptr ? "" : set;
  const std::size_t first = models.find_first_not_of(" \t\r\n\"'");
  if (first != std::string::npos) {
    return models.substr(first, models.find_last_not_of(" \t\r\n\"'") - first + 1);
  }
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "/" : home) + "/.ollama/models";
}

}  // namespace llamavisor
