#include "ollama/model_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ollama/gguf.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
constexpr std::size_t kMaxManifestBytes = 1U << 20U;

std::optional<json::object> read_json(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxManifestBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  boost::system::error_code ec;
  json::value value = json::parse(text, ec);
  return ec || !value.is_object() ? std::nullopt : std::optional(std::move(value.as_object()));
}

std::string text_of(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::uint64_t size_of(const json::object& layer) {
  const json::value* value = layer.if_contains("size");
  boost::system::error_code ec;
  const auto size = value == nullptr ? 0 : value->to_number<std::uint64_t>(ec);
  return ec ? 0 : size;
}

// manifests/<host>/<namespace>/<model>/<tag> -> the name as Ollama shows it
std::string name_of(const fs::path& relative) {
  std::vector<std::string> parts;
  for (const fs::path& part : relative) {
    parts.push_back(part.string());
  }
  return parts.size() == 4 ? canonical_model_name(parts[0] + "/" + parts[1] + "/" + parts[2] + ":" + parts[3])
                           : std::string();
}

template <class Use>
void each_manifest(const std::string& dir, Use use) {
  const fs::path root = fs::path(dir) / "manifests";
  std::error_code ec;
  for (fs::recursive_directory_iterator it(root, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code kind;
    if (it->is_regular_file(kind)) {
      const std::string name = name_of(fs::relative(it->path(), root, kind));
      if (!name.empty()) {
        use(it->path().string(), name);
      }
    }
  }
}

// The PARAMETER num_ctx of a params layer.
std::optional<std::uint32_t> num_ctx_of(const std::string& blob_path) {
  const auto params = read_json(blob_path);
  const json::value* value = params ? params->if_contains("num_ctx") : nullptr;
  boost::system::error_code ec;
  const double number = value == nullptr || !value->is_number() ? 0 : value->to_number<double>(ec);
  return number >= 1 && number <= 4294967295.0 ? std::optional(static_cast<std::uint32_t>(number))
                                               : std::nullopt;
}

}  // namespace

Result<InstalledModel> ModelStore::read_manifest(const std::string& path, const std::string& name) {
  const auto manifest = read_json(path);
  const json::value* layers = manifest ? manifest->if_contains("layers") : nullptr;
  if (layers == nullptr || !layers->is_array()) {
    return Error(path + ": not a manifest");
  }
  InstalledModel out;
  out.name = name;
  for (const json::value& entry : layers->as_array()) {
    if (!entry.is_object()) {
      continue;
    }
    const json::object& layer = entry.as_object();
    const std::string type = text_of(layer, "mediaType");
    std::string file = text_of(layer, "digest");
    std::replace(file.begin(), file.end(), ':', '-');
    const std::string blob = dir_ + "/blobs/" + file;
    if (type.ends_with("image.model")) {
      out.blob_digest = text_of(layer, "digest");
      out.blob_path = blob;
    }
    if (type.ends_with("image.model") || type.ends_with("image.projector") ||
        type.ends_with("image.adapter")) {
      out.weights_bytes += size_of(layer);
    } else if (type.ends_with("image.params")) {
      out.param_num_ctx = num_ctx_of(blob);
    }
  }
  if (out.blob_digest.empty() || out.blob_digest.find('/') != std::string::npos) {
    return Error(path + ": names no model file");
  }
  out.shape = shape_of(out.blob_path);
  return out;
}

std::optional<ModelShape> ModelStore::shape_of(const std::string& blob_path) {
  struct stat info {};
  if (stat(blob_path.c_str(), &info) != 0) {
    return std::nullopt;
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = shapes_.find(blob_path);
    if (it != shapes_.end() && it->second.size == size && it->second.written == info.st_mtime) {
      return it->second.shape;
    }
  }
  const auto read = read_gguf_shape(blob_path);
  const Shape fresh{size, info.st_mtime, read ? std::optional(*read) : std::nullopt};
  const std::lock_guard<std::mutex> lock(mutex_);
  shapes_[blob_path] = fresh;
  return fresh.shape;
}

std::vector<InstalledModel> ModelStore::list() {
  std::vector<InstalledModel> out;
  each_manifest(dir_, [&](const std::string& path, const std::string& name) {
    if (auto model = read_manifest(path, name)) {
      out.push_back(std::move(*model));
    }
  });
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

// Ollama compares names without case, so the folder's spelling may differ from the request's.
Result<std::optional<InstalledModel>> ModelStore::resolve(const std::string& name) {
  const std::string wanted = canonical_model_name(name);
  Result<std::optional<InstalledModel>> out = std::optional<InstalledModel>();
  each_manifest(dir_, [&](const std::string& path, const std::string& found) {
    if (found == wanted) {
      auto model = read_manifest(path, wanted);
      out = model ? Result<std::optional<InstalledModel>>(std::optional(std::move(*model))) : model.error();
    }
  });
  return out;
}

std::vector<std::string> ModelStore::names_for_blob(const std::string& digest) {
  std::vector<std::string> out;
  for (const InstalledModel& model : list()) {
    if (model.blob_digest == digest) {
      out.push_back(model.name);
    }
  }
  return out;
}

std::string default_models_dir() {
  const char* models = std::getenv("OLLAMA_MODELS");
  if (models != nullptr && *models != '\0') {
    return models;
  }
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "/" : home) + "/.ollama/models";
}

}  // namespace llamavisor
