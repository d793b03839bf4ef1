#include "ollama/manifest.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <filesystem>

#include "ollama/bounded_reader.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

Result<json::object> read_json(const std::string& path) {
  BoundedReader reader(path, kMaxManifestBytes);
  if (!reader.good()) {
    return Error(path + ": cannot be read");
  }
  boost::system::error_code ec;
  json::value value = json::parse(reader.text(reader.left(), kMaxManifestBytes), ec);
  if (ec || !value.is_object()) {
    return Error(path + ": not a JSON object" + (ec ? ": " + ec.message() : ""));
  }
  return std::move(value.as_object());
}

std::string text_of(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// "sha256:<64 hex digits>" -> the file's path; empty for anything else, above all for a way out of blobs/.
std::string blob_path(const std::string& models_dir, const std::string& digest) {
  constexpr std::string_view scheme = "sha256:";
  const bool sane = digest.starts_with(scheme) && digest.size() == scheme.size() + 64 &&
                    digest.find_first_not_of("0123456789abcdef", scheme.size()) == std::string::npos;
  return sane ? models_dir + "/blobs/sha256-" + digest.substr(scheme.size()) : std::string();
}

// What the manifest says, else what the file has.
std::uint64_t size_of(const json::object& layer, const std::string& path) {
  const json::value* value = layer.if_contains("size");
  boost::system::error_code absent;
  if (value != nullptr && value->is_number()) {
    const auto size = value->to_number<std::uint64_t>(absent);
    if (!absent) {
      return size;
    }
  }
  std::error_code ec;
  const auto size = fs::file_size(path, ec);
  return ec ? 0 : size;
}

// The PARAMETER num_ctx of a params layer; Ollama takes 4096 and 4096.0 alike.
std::optional<std::uint32_t> num_ctx_of(const std::string& path) {
  const auto params = read_json(path);
  const json::value* value = params ? params->if_contains("num_ctx") : nullptr;
  boost::system::error_code ec;
  const double number = value == nullptr || !value->is_number() ? 0 : value->to_number<double>(ec);
  return number >= 1 && number <= 4294967295.0 ? std::optional(static_cast<std::uint32_t>(number))
                                               : std::nullopt;
}

bool holds_weights(std::string_view kind) {
  return kind == "model" || kind == "projector" || kind == "adapter" || kind == "tensor";
}

void add_layer(const std::string& models_dir, const json::object& layer, InstalledModel& model) {
  constexpr std::string_view prefix = "application/vnd.ollama.image.";
  const std::string type = text_of(layer, "mediaType");
  const std::string digest = text_of(layer, "digest");
  const std::string path = blob_path(models_dir, digest);
  if (!type.starts_with(prefix) || path.empty()) {
    return;
  }
  const std::string_view kind = std::string_view(type).substr(prefix.size());
  if (kind == "model") {
    model.blob_digest = digest;
    model.blob_path = path;
  }
  if (holds_weights(kind)) {
    model.weights_bytes += size_of(layer, path);
  } else if (kind == "params") {
    model.param_num_ctx = num_ctx_of(path);
  }
}

// The tree: three levels of folders, then files.
using Parts = std::array<std::string, 4>;  // host, namespace, model, tag

std::vector<std::string> entries_of(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    if (std::string name = it->path().filename().string(); !name.starts_with('.')) {
      out.push_back(std::move(name));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

void walk(const fs::path& folder, std::size_t depth, Parts& parts, std::vector<ManifestFile>& out) {
  for (std::string& entry : entries_of(folder)) {
    if (out.size() >= kMaxManifests) {
      return;
    }
    const fs::path path = folder / entry;
    parts.at(depth) = std::move(entry);
    std::error_code ec;
    if (depth + 1 < parts.size()) {
      walk(path, depth + 1, parts, out);
    } else if (fs::is_regular_file(path, ec)) {
      out.push_back(
          {path.string(), canonical_model_name(parts[0] + "/" + parts[1] + "/" + parts[2] + ":" + parts[3])});
    }
  }
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

// "tiny:latest" -> registry.ollama.ai, library, tiny, latest. Absent: more parts than a name has.
std::optional<Parts> parts_of(const std::string& canonical) {
  const std::size_t colon = canonical.rfind(':');
  std::string path = canonical.substr(0, colon);
  const auto slashes = std::count(path.begin(), path.end(), '/');
  if (colon == std::string::npos || slashes > 2) {
    return std::nullopt;
  }
  path = (slashes == 0 ? "registry.ollama.ai/library/" : slashes == 1 ? "registry.ollama.ai/" : "") + path;
  const std::size_t first = path.find('/');
  const std::size_t second = path.find('/', first + 1);
  return Parts{path.substr(0, first), path.substr(first + 1, second - first - 1), path.substr(second + 1),
               canonical.substr(colon + 1)};
}

// Entries are compared, never appended from the name: a ".." in it finds nothing.
std::optional<fs::path> find_part(const fs::path& folder, const std::string& part) {
  for (const std::string& entry : entries_of(folder)) {
    if (lower(entry) == part) {
      return folder / entry;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<ManifestFile> find_manifests(const std::string& models_dir) {
  std::vector<ManifestFile> out;
  Parts parts;
  walk(fs::path(models_dir) / "manifests", 0, parts, out);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::optional<ManifestFile> find_manifest(const std::string& models_dir, const std::string& name) {
  const std::string canonical = canonical_model_name(name);
  const auto parts = parts_of(canonical);
  std::optional<fs::path> at = parts ? std::optional(fs::path(models_dir) / "manifests") : std::nullopt;
  for (std::size_t i = 0; at && i < parts->size(); ++i) {
    at = find_part(*at, (*parts)[i]);
  }
  std::error_code ec;
  return at && fs::is_regular_file(*at, ec) ? std::optional(ManifestFile{at->string(), canonical})
                                            : std::nullopt;
}

Result<std::optional<InstalledModel>> read_manifest(const std::string& models_dir, const ManifestFile& file) {
  const auto manifest = read_json(file.path);
  if (!manifest) {
    return manifest.error();
  }
  const json::value* layers = manifest->if_contains("layers");
  if (layers == nullptr || !(layers->is_array() || layers->is_null())) {
    return Error(file.path + ": not a manifest: it has no layers");
  }
  std::optional<InstalledModel> out(std::in_place);
  out->name = file.name;
  for (const json::value& layer : layers->is_array() ? layers->as_array() : json::array()) {
    if (layer.is_object()) {
      add_layer(models_dir, layer.as_object(), *out);
    }
  }
  return out->weights_bytes > 0 || !out->blob_digest.empty() ? out : std::nullopt;
}

}  // namespace llamavisor
