#include "model_maker.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>

#include "alphabet_gguf.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string hex() {
    std::array<unsigned char, 32> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    std::string out;
    for (const unsigned char byte : digest) {
      out += "0123456789abcdef"[byte >> 4U];
      out += "0123456789abcdef"[byte & 15U];
    }
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

// A file beside its final place; removed unless it got there.
class Draft {
 public:
  explicit Draft(const fs::path& folder)
      : path_(folder / (".draft-" + std::to_string(::getpid()))), out_(path_, std::ios::binary) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    std::error_code gone_already;
    fs::remove(path_, gone_already);
  }
  void write(const void* data, std::size_t size) {
    out_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  Result<void> place(const fs::path& target) {
    out_.close();
    std::error_code ec;
    if (out_) {
      fs::rename(path_, target, ec);
    }
    return out_ && !ec ? Result<void>()
                       : Error(target.string() + ": cannot be written" + (ec ? ": " + ec.message() : ""),
                               "is there room on the disk, and may this user write there?");
  }

 private:
  fs::path path_;
  std::ofstream out_;
};

struct Blob {
  std::string hex;
  std::uint64_t bytes = 0;
};

template <class Fill>
Result<Blob> plant_blob(const fs::path& blobs, Fill fill) {
  Blob out;
  Sha256 sha;
  Draft draft(blobs);
  fill([&](const void* data, std::size_t bytes) {
    draft.write(data, bytes);
    sha.add(data, bytes);
    out.bytes += bytes;
  });
  out.hex = sha.hex();
  if (auto placed = draft.place(blobs / ("sha256-" + out.hex)); !placed) {
    return placed.error();
  }
  return out;
}

Result<Blob> plant_text(const fs::path& blobs, const std::string& text) {
  return plant_blob(blobs, [&](const Sink& sink) { sink(text.data(), text.size()); });
}

std::string layer(std::string_view type, const Blob& blob) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":"sha256:)" + blob.hex + R"(","size":)" +
         std::to_string(blob.bytes) + "}";
}

std::string config_of(const Blob& model) {
  return R"({"model_format":"gguf","model_family":"llama","model_families":["llama"],"model_type":")" +
         std::to_string(model.bytes / 4'000'000) +
         R"(M","file_type":"F32","architecture":"amd64","os":"linux",)"
         R"("rootfs":{"type":"layers","diff_ids":["sha256:)" +
         model.hex + R"("]}})";
}

// "[namespace/]model[:tag]" -> namespace/model/tag; empty when a part is no name.
fs::path manifest_path(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::size_t after = slash == std::string::npos ? 0 : slash + 1;
  const std::size_t colon = name.find(':', after);
  const std::array<std::string, 3> parts{
      slash == std::string::npos ? "library" : name.substr(0, slash),
      name.substr(after, colon == std::string::npos ? colon : colon - after),
      colon == std::string::npos ? "latest" : name.substr(colon + 1)};
  fs::path out;
  for (const std::string& part : parts) {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (part.empty() || part.front() == '.' || part.find_first_not_of(allowed) != std::string::npos) {
      return {};
    }
    out /= part;
  }
  return out;
}

Result<void> check(const MadeModel& m) {
  if (manifest_path(m.name).empty()) {
    return Error("\"" + m.name + "\" is no name for a model",
                 "it looks like model, model:tag or me/model:tag");
  }
  if (m.layers == 0 || m.feed_forward == 0 || m.heads == 0 || m.kv_heads == 0 || m.context == 0) {
    return Error("layers, feed-forward length, heads and context must be at least 1");
  }
  if (m.embedding < kAlphabetVocabulary || m.embedding % m.heads != 0) {
    return Error("the embedding length must be at least " + std::to_string(kAlphabetVocabulary) +
                 " and a multiple of the heads");
  }
  return m.heads % m.kv_heads == 0 ? Result<void>() : Error("the heads must be a multiple of the kv heads");
}

Result<std::string> plant_layers(const MadeModel& m, const fs::path& blobs, const Blob& model) {
  std::string out = layer("application/vnd.ollama.image.model", model);
  if (m.param_num_ctx) {
    const auto params = plant_text(blobs, R"({"num_ctx":)" + std::to_string(*m.param_num_ctx) + "}");
    if (!params) {
      return params.error();
    }
    out += "," + layer("application/vnd.ollama.image.params", *params);
  }
  return ok(std::move(out));
}

Result<void> plant_manifest(const MadeModel& m, const fs::path& blobs, const Blob& model) {
  const auto config = plant_text(blobs, config_of(model));
  const auto layers = config ? plant_layers(m, blobs, model) : config.error();
  if (!layers) {
    return layers.error();
  }
  const fs::path path = fs::path(m.models_dir) / "manifests/registry.ollama.ai" / manifest_path(m.name);
  std::error_code ec;
  fs::create_directories(path.parent_path(), ec);
  const std::string text =
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" +
      layer("application/vnd.docker.container.image.v1+json", *config) + R"(,"layers":[)" + *layers + "]}";
  Draft draft(blobs);
  draft.write(text.data(), text.size());
  return draft.place(path);
}

}  // namespace

Result<PlantedModel> make_model(const MadeModel& m) {
  if (auto checked = check(m); !checked) {
    return checked.error();
  }
  const fs::path blobs = fs::path(m.models_dir) / "blobs";
  std::error_code ec;
  fs::create_directories(blobs, ec);
  if (ec) {
    return Error(blobs.string() + ": cannot be made: " + ec.message());
  }
  const auto model = plant_blob(blobs, [&](const Sink& sink) { write_alphabet_gguf(m, sink); });
  if (!model) {
    return model.error();
  }
  if (auto planted = plant_manifest(m, blobs, *model); !planted) {
    return planted.error();
  }
  const std::uint64_t head_length = m.embedding / m.heads;
  return PlantedModel{"sha256:" + model->hex, model->bytes, 2ULL * m.layers * m.kv_heads * head_length * 2};
}

}  // namespace llamavisor
