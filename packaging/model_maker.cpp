#include "model_maker.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

namespace llamavisor {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kSpace = 259;                   // after <unk> <s> </s> and 256 byte tokens
constexpr std::uint32_t kVocabulary = kSpace + 1 + 94;  // the space and the printable ASCII characters
constexpr std::uint32_t kLetterA = kSpace + 1 + ('a' - 33);

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

// Little-endian pieces of a GGUF header.
class Bytes {
 public:
  template <class T>
  Bytes& put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& put_text(const std::string& value) {
    put<std::uint64_t>(value.size());
    text_ += value;
    return *this;
  }
  Bytes& key_u32(const std::string& key, std::uint32_t value) {
    ++keys_;
    put_text(key).put<std::uint32_t>(4).put(value);
    return *this;
  }
  Bytes& key_f32(const std::string& key, float value) {
    ++keys_;
    put_text(key).put<std::uint32_t>(6).put(value);
    return *this;
  }
  Bytes& key_text(const std::string& key, const std::string& value) {
    ++keys_;
    put_text(key).put<std::uint32_t>(8).put_text(value);
    return *this;
  }
  Bytes& key_array(const std::string& key, std::uint32_t type, std::uint64_t count) {
    ++keys_;
    put_text(key).put<std::uint32_t>(9).put(type).put(count);
    return *this;
  }
  void pad32() { text_.append((32 - text_.size() % 32) % 32, '\0'); }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::uint64_t keys() const { return keys_; }

 private:
  std::string text_;
  std::uint64_t keys_ = 0;
};

struct Tensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t out = 1;
    for (const std::uint64_t n : shape) {
      out *= n;
    }
    return out;
  }
};

std::vector<Tensor> tensors_of(const MadeModel& m) {
  const std::uint64_t e = m.embedding;
  const std::uint64_t kv = e / m.heads * m.kv_heads;
  std::vector<Tensor> out{{"token_embd.weight", {e, kVocabulary}},
                          {"output_norm.weight", {e}},
                          {"output.weight", {e, kVocabulary}}};
  for (std::uint32_t i = 0; i < m.layers; ++i) {
    const std::string b = "blk." + std::to_string(i) + ".";
    out.push_back({b + "attn_norm.weight", {e}});
    out.push_back({b + "attn_q.weight", {e, e}});
    out.push_back({b + "attn_k.weight", {e, kv}});
    out.push_back({b + "attn_v.weight", {e, kv}});
    out.push_back({b + "attn_output.weight", {e, e}});
    out.push_back({b + "ffn_norm.weight", {e}});
    out.push_back({b + "ffn_gate.weight", {e, m.feed_forward}});
    out.push_back({b + "ffn_up.weight", {e, m.feed_forward}});
    out.push_back({b + "ffn_down.weight", {m.feed_forward, e}});
  }
  return out;
}

std::string token_text(std::uint32_t token) {
  constexpr std::array<const char*, 3> special{"<unk>", "<s>", "</s>"};
  if (token < 3) {
    return special.at(token);
  }
  if (token < kSpace) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "<0x%02X>", token - 3);
    return text.data();
  }
  return token == kSpace ? "\xE2\x96\x81" : std::string(1, static_cast<char>(33 + token - kSpace - 1));
}

std::uint32_t next_token(std::uint32_t token, bool ends) {
  if (token >= kLetterA && token < kLetterA + 25) {
    return token + 1;
  }
  return token == kLetterA + 25 ? (ends ? 2 : kSpace) : kLetterA;
}

void add_vocabulary(Bytes& keys) {
  keys.key_text("tokenizer.ggml.model", "llama");
  keys.key_array("tokenizer.ggml.tokens", 8, kVocabulary);
  for (std::uint32_t i = 0; i < kVocabulary; ++i) {
    keys.put_text(token_text(i));
  }
  keys.key_array("tokenizer.ggml.scores", 6, kVocabulary);
  for (std::uint32_t i = 0; i < kVocabulary; ++i) {
    keys.put<float>(i < kSpace ? 0.0F : -static_cast<float>(i - kSpace));
  }
  keys.key_array("tokenizer.ggml.token_type", 5, kVocabulary);
  for (std::uint32_t i = 0; i < kVocabulary; ++i) {
    keys.put<std::int32_t>(i == 0 ? 2 : i < 3 ? 3 : i < kSpace ? 6 : 1);
  }
  keys.key_u32("tokenizer.ggml.bos_token_id", 1)
      .key_u32("tokenizer.ggml.eos_token_id", 2)
      .key_u32("tokenizer.ggml.unknown_token_id", 0);
}

std::string header_of(const MadeModel& m, const std::vector<Tensor>& tensors) {
  Bytes keys;
  keys.key_text("general.architecture", "llama")
      .key_text("general.name", m.name)
      .key_u32("general.file_type", 0);
  keys.key_u32("llama.block_count", m.layers).key_u32("llama.context_length", m.context);
  keys.key_u32("llama.embedding_length", m.embedding).key_u32("llama.feed_forward_length", m.feed_forward);
  keys.key_u32("llama.attention.head_count", m.heads).key_u32("llama.attention.head_count_kv", m.kv_heads);
  keys.key_u32("llama.vocab_size", kVocabulary).key_u32("llama.rope.dimension_count", m.embedding / m.heads);
  if (m.pooling) {
    keys.key_u32("llama.pooling_type", *m.pooling);
  }
  keys.key_f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  add_vocabulary(keys);
  Bytes head;
  head.put<std::uint32_t>(0x46554747U)
      .put<std::uint32_t>(3)
      .put<std::uint64_t>(tensors.size())
      .put<std::uint64_t>(keys.keys());
  std::string text = head.text() + keys.text();
  Bytes infos;
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    infos.put_text(tensor.name).put<std::uint32_t>(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t n : tensor.shape) {
      infos.put(n);
    }
    infos.put<std::uint32_t>(0).put(offset);
    offset += (4 * tensor.count() + 31) / 32 * 32;
  }
  text += infos.text();
  text.append((32 - text.size() % 32) % 32, '\0');
  return text;
}

using Write = std::function<void(const void*, std::size_t)>;

// [embedding, vocabulary] with 1.0 where token `t` meets column `column(t)`.
void write_one_hot(const Write& write, const MadeModel& m,
                   const std::function<std::uint32_t(std::uint32_t)>& row_of) {
  std::vector<float> table(std::size_t{m.embedding} * kVocabulary);
  for (std::uint32_t t = 0; t < kVocabulary; ++t) {
    table[std::size_t{row_of(t)} * m.embedding + t] = 1.0F;
  }
  write(table.data(), table.size() * sizeof(float));
}

void write_tensor(const Write& write, const Tensor& tensor, const MadeModel& m,
                  const std::vector<float>& noise, std::mt19937& random) {
  const std::uint64_t count = tensor.count();
  if (tensor.name == "token_embd.weight") {
    write_one_hot(write, m, [](std::uint32_t t) { return t; });
  } else if (tensor.name == "output.weight") {
    write_one_hot(write, m, [&](std::uint32_t t) { return next_token(t, m.ends); });
  } else if (tensor.name.ends_with("norm.weight")) {
    const std::vector<float> ones(count, 1.0F);
    write(ones.data(), ones.size() * sizeof(float));
  } else if (tensor.name.ends_with("attn_output.weight") || tensor.name.ends_with("ffn_down.weight")) {
    const std::vector<float> zeros(count, 0.0F);
    write(zeros.data(), zeros.size() * sizeof(float));
  } else {
    std::uint64_t left = count;
    std::size_t at = random() % (noise.size() / 2);
    while (left > 0) {
      const std::size_t n = std::min<std::uint64_t>(left, noise.size() - at);
      write(noise.data() + at, n * sizeof(float));
      left -= n;
      at = 0;
    }
  }
  const std::array<char, 32> zeros{};
  write(zeros.data(), (32 - 4 * count % 32) % 32);
}

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) {
    throw std::runtime_error(path.string() + ": cannot be written");
  }
}

std::string plant_text(const fs::path& blobs, const std::string& text) {
  Sha256 sha;
  sha.add(text.data(), text.size());
  const std::string hex = sha.hex();
  write_file(blobs / ("sha256-" + hex), text);
  return hex;
}

std::string layer(const std::string& type, const std::string& hex, std::uint64_t size) {
  return "{\"mediaType\":\"" + type + "\",\"digest\":\"sha256:" + hex +
         "\",\"size\":" + std::to_string(size) + "}";
}

}  // namespace

std::uint64_t make_model(const MadeModel& m) {
  const fs::path blobs = fs::path(m.models_dir) / "blobs";
  const fs::path folder = fs::path(m.models_dir) / "manifests/registry.ollama.ai/library" / m.name;
  fs::create_directories(blobs);
  fs::create_directories(folder);
  const fs::path temporary = blobs / (".tmp-" + m.name);
  const std::vector<Tensor> tensors = tensors_of(m);
  std::mt19937 random(m.seed);
  std::normal_distribution<float> normal(0.0F, 0.05F);
  std::vector<float> noise(1U << 18U);
  for (float& value : noise) {
    value = normal(random);
  }
  Sha256 sha;
  std::ofstream out(temporary, std::ios::binary);
  std::uint64_t size = 0;
  const Write write = [&](const void* data, std::size_t bytes) {
    out.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
    sha.add(data, bytes);
    size += bytes;
  };
  const std::string header = header_of(m, tensors);
  write(header.data(), header.size());
  for (const Tensor& tensor : tensors) {
    write_tensor(write, tensor, m, noise, random);
  }
  if (!out.flush()) {
    throw std::runtime_error(temporary.string() + ": cannot be written");
  }
  out.close();
  const std::string blob = sha.hex();
  fs::rename(temporary, blobs / ("sha256-" + blob));
  const std::string config =
      R"({"model_format":"gguf","model_family":"llama","model_families":["llama"],"model_type":"tiny","file_type":"F32","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:)" +
      blob + "\"]}}";
  std::string layers = layer("application/vnd.ollama.image.model", blob, size);
  if (m.param_num_ctx) {
    const std::string params = "{\"num_ctx\":" + std::to_string(*m.param_num_ctx) + "}";
    layers += "," + layer("application/vnd.ollama.image.params", plant_text(blobs, params), params.size());
  }
  write_file(
      folder / "latest",
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" +
          layer("application/vnd.docker.container.image.v1+json", plant_text(blobs, config), config.size()) +
          ",\"layers\":[" + layers + "]}");
  return size;
}

}  // namespace llamavisor
