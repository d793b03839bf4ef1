#include "alphabet_gguf.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace llamavisor {
namespace {

constexpr std::uint32_t kSpace = 3 + 256;
constexpr std::uint32_t kLetterA = kSpace + 1 + ('a' - 33);
constexpr std::uint32_t kEndOfText = 2;
constexpr std::uint64_t kAlignment = 32;

// Value types of the GGUF specification.
enum Type : std::uint32_t { kI32 = 5, kU32 = 4, kF32 = 6, kString = 8, kArray = 9 };

// Little-endian pieces of a header; the machine is taken to be little-endian, as Ollama's are.
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
  Bytes& key(const std::string& name, Type type) {
    ++keys_;
    return put_text(name).put<std::uint32_t>(type);
  }
  Bytes& key_u32(const std::string& name, std::uint32_t value) { return key(name, kU32).put(value); }
  Bytes& key_text(const std::string& name, const std::string& value) {
    return key(name, kString).put_text(value);
  }
  Bytes& key_array(const std::string& name, Type type) {
    return key(name, kArray).put<std::uint32_t>(type).put<std::uint64_t>(kAlphabetVocabulary);
  }
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

std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::vector<Tensor> tensors_of(const MadeModel& m) {
  const std::uint64_t e = m.embedding;
  const std::uint64_t kv = e / m.heads * m.kv_heads;
  std::vector<Tensor> out{{"token_embd.weight", {e, kAlphabetVocabulary}},
                          {"output_norm.weight", {e}},
                          {"output.weight", {e, kAlphabetVocabulary}}};
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
  if (token < special.size()) {
    return special.at(token);
  }
  if (token < kSpace) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "<0x%02X>", token - 3);
    return text.data();
  }
  return token == kSpace ? "\xE2\x96\x81" : std::string(1, static_cast<char>(33 + token - kSpace - 1));
}

// llama.cpp's token kinds: 1 normal, 2 unknown, 3 control, 6 byte.
std::int32_t token_kind(std::uint32_t token) {
  return token == 0 ? 2 : token < 3 ? 3 : token < kSpace ? 6 : 1;
}

std::uint32_t next_token(std::uint32_t token, bool ends) {
  if (token >= kLetterA && token < kLetterA + 25) {
    return token + 1;
  }
  return token == kLetterA + 25 ? (ends ? kEndOfText : kSpace) : kLetterA;
}

void put_architecture(Bytes& keys, const MadeModel& m) {
  keys.key_text("general.architecture", "llama").key_text("general.name", m.name);
  keys.key_u32("general.file_type", 0).key_u32("llama.block_count", m.layers);
  keys.key_u32("llama.context_length", m.context).key_u32("llama.embedding_length", m.embedding);
  keys.key_u32("llama.feed_forward_length", m.feed_forward).key_u32("llama.attention.head_count", m.heads);
  keys.key_u32("llama.attention.head_count_kv", m.kv_heads);
  keys.key_u32("llama.vocab_size", kAlphabetVocabulary);
  keys.key_u32("llama.rope.dimension_count", m.embedding / m.heads);
  if (m.pooling) {
    keys.key_u32("llama.pooling_type", *m.pooling);
  }
  keys.key("llama.attention.layer_norm_rms_epsilon", kF32).put(1e-5F);
}

void put_vocabulary(Bytes& keys) {
  keys.key_text("tokenizer.ggml.model", "llama");
  keys.key_array("tokenizer.ggml.tokens", kString);
  for (std::uint32_t i = 0; i < kAlphabetVocabulary; ++i) {
    keys.put_text(token_text(i));
  }
  keys.key_array("tokenizer.ggml.scores", kF32);
  for (std::uint32_t i = 0; i < kAlphabetVocabulary; ++i) {
    keys.put<float>(i < kSpace ? 0.0F : -static_cast<float>(i - kSpace));
  }
  keys.key_array("tokenizer.ggml.token_type", kI32);
  for (std::uint32_t i = 0; i < kAlphabetVocabulary; ++i) {
    keys.put(token_kind(i));
  }
  keys.key_u32("tokenizer.ggml.bos_token_id", 1).key_u32("tokenizer.ggml.eos_token_id", kEndOfText);
  keys.key_u32("tokenizer.ggml.unknown_token_id", 0);
}

std::string header_of(const MadeModel& m, const std::vector<Tensor>& tensors) {
  Bytes keys;
  put_architecture(keys, m);
  put_vocabulary(keys);
  Bytes head;
  head.put<std::uint32_t>(0x46554747U).put<std::uint32_t>(3);  // "GGUF", version 3
  head.put<std::uint64_t>(tensors.size()).put<std::uint64_t>(keys.keys());
  Bytes infos;
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    infos.put_text(tensor.name).put(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t n : tensor.shape) {
      infos.put(n);
    }
    infos.put<std::uint32_t>(0).put(offset);  // F32
    offset += padded(4 * tensor.count());
  }
  std::string text = head.text() + keys.text() + infos.text();
  text.resize(padded(text.size()), '\0');
  return text;
}

// A block of noise that the tensors without a meaning are cut from.
class Noise {
 public:
  explicit Noise(std::uint32_t seed) : random_(seed), values_(1U << 18U) {
    std::normal_distribution<float> normal(0.0F, 0.05F);
    for (float& value : values_) {
      value = normal(random_);
    }
  }
  void write(std::uint64_t count, const Sink& sink) {
    std::size_t at = random_() % (values_.size() / 2);
    while (count > 0) {
      const std::size_t n = std::min<std::uint64_t>(count, values_.size() - at);
      sink(values_.data() + at, n * sizeof(float));
      count -= n;
      at = 0;
    }
  }

 private:
  std::mt19937 random_;
  std::vector<float> values_;
};

void write_same(float value, std::uint64_t count, const Sink& sink) {
  const std::vector<float> block(std::min<std::uint64_t>(count, 1U << 16U), value);
  while (count > 0) {
    const std::size_t n = std::min<std::uint64_t>(count, block.size());
    sink(block.data(), n * sizeof(float));
    count -= n;
  }
}

// [embedding, vocabulary]: 1.0 where the row of token `row_of(t)` meets column t.
template <class RowOf>
void write_one_hot(std::uint64_t embedding, const Sink& sink, RowOf row_of) {
  std::vector<float> table(embedding * kAlphabetVocabulary);
  for (std::uint32_t t = 0; t < kAlphabetVocabulary; ++t) {
    table[row_of(t) * embedding + t] = 1.0F;
  }
  sink(table.data(), table.size() * sizeof(float));
}

void write_tensor(const Tensor& tensor, const MadeModel& m, Noise& noise, const Sink& sink) {
  if (tensor.name == "token_embd.weight") {
    write_one_hot(m.embedding, sink, [](std::uint32_t t) { return t; });
  } else if (tensor.name == "output.weight") {
    write_one_hot(m.embedding, sink, [&](std::uint32_t t) { return next_token(t, m.ends); });
  } else if (tensor.name.ends_with("norm.weight")) {
    write_same(1.0F, tensor.count(), sink);
  } else if (tensor.name.ends_with("attn_output.weight") || tensor.name.ends_with("ffn_down.weight")) {
    write_same(0.0F, tensor.count(), sink);
  } else {
    noise.write(tensor.count(), sink);
  }
  const std::array<char, kAlignment> zeros{};
  sink(zeros.data(), padded(4 * tensor.count()) - 4 * tensor.count());
}

}  // namespace

void write_alphabet_gguf(const MadeModel& model, const Sink& sink) {
  const std::vector<Tensor> tensors = tensors_of(model);
  const std::string header = header_of(model, tensors);
  sink(header.data(), header.size());
  Noise noise(model.seed);
  for (const Tensor& tensor : tensors) {
    write_tensor(tensor, model, noise, sink);
  }
}

}  // namespace llamavisor
