#include "ollama/gguf.h"

#include <sys/stat.h>

#include <random>

#include "support/catch.h"
#include "support/file_tree.h"
#include "support/models.h"
#include "support/results.h"

using namespace llamavisor;

namespace {

// A GGUF file put together key by key.
class Gguf {
 public:
  template <class T>
  Gguf& raw(T value) {
    keys_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Gguf& text(const std::string& value) {
    raw<std::uint64_t>(value.size());
    keys_ += value;
    return *this;
  }
  Gguf& key(const std::string& name, std::uint32_t type) {
    ++count_;
    return text(name).raw(type);
  }
  Gguf& u32(const std::string& name, std::uint32_t value) { return key(name, 4).raw(value); }
  Gguf& string(const std::string& name, const std::string& value) { return key(name, 8).text(value); }
  Gguf& array(const std::string& name, std::uint32_t type, std::uint64_t count) {
    return key(name, 9).raw(type).raw(count);
  }
  Gguf& numbers(const std::string& name, const std::vector<std::uint32_t>& values) {
    array(name, 4, values.size());
    for (const std::uint32_t value : values) {
      raw(value);
    }
    return *this;
  }
  [[nodiscard]] std::string file() const { return file(count_, 3); }
  [[nodiscard]] std::string file(std::uint64_t count, std::uint32_t version) const {
    Gguf head;
    head.raw<std::uint32_t>(0x46554747U).raw(version).raw<std::uint64_t>(0).raw(count);
    return head.keys_ + keys_;
  }

 private:
  std::string keys_;
  std::uint64_t count_ = 0;
};

Result<ModelShape> read(const std::string& bytes) {
  const testing::FileTree tree;
  tree.write("m.gguf", bytes);
  return read_gguf_shape(tree.root() + "/m.gguf");
}

Gguf small() {
  Gguf out;
  return out.string("general.architecture", "qwen3")
      .u32("qwen3.block_count", 3)
      .u32("qwen3.attention.head_count", 8);
}

}  // namespace

TEST_CASE("the shape of a made model is what it was made with") {
  const testing::FileTree tree;
  MadeModel made = testing::tiny_model(tree.root());
  made.pooling = 1;
  const PlantedModel planted = testing::plant(made);
  const auto shape = read_gguf_shape(tree.root() + "/blobs/sha256-" + planted.blob_digest.substr(7));
  REQUIRE(shape);
  CHECK(shape->architecture == "llama");
  CHECK(shape->block_count == 2U);
  CHECK(shape->context_length == 131072U);
  CHECK(shape->embedding_length == 384U);
  CHECK(shape->feed_forward_length == 512U);
  CHECK(shape->head_count == 6U);
  CHECK(shape->head_count_kv == 2U);
  CHECK_FALSE(shape->key_length.has_value());
  CHECK(shape->pooling_type == 1U);
  CHECK(shape->vocabulary == 354U);
}

TEST_CASE("keys may come in any order and in any kind of whole number") {
  Gguf gguf;
  gguf.array("tokenizer.ggml.tokens", 8, 2).text("a").text("b");
  gguf.key("bert.block_count", 10).raw<std::uint64_t>(12);
  gguf.key("bert.embedding_length", 5).raw<std::int32_t>(384);
  gguf.key("bert.attention.head_count", 2).raw<std::uint16_t>(6);
  gguf.key("bert.attention.key_length", 5).raw<std::int32_t>(-1);
  gguf.key("bert.attention.value_length", 10).raw<std::uint64_t>(1ULL << 40U);
  gguf.key("bert.attention.causal", 7).raw<std::uint8_t>(0);
  gguf.key("bert.attention.layer_norm_epsilon", 6).raw(1e-5F);
  gguf.string("general.architecture", "bert");
  const auto shape = read(gguf.file());
  REQUIRE(shape);
  CHECK(shape->block_count == 12U);
  CHECK(shape->embedding_length == 384U);
  CHECK(shape->head_count == 6U);
  CHECK_FALSE(shape->key_length.has_value());    // negative
  CHECK_FALSE(shape->value_length.has_value());  // no 32-bit number
  CHECK(shape->vocabulary == 2U);
}

TEST_CASE("heads given layer by layer are one number only when the layers agree") {
  auto shape = read(small().numbers("qwen3.attention.head_count_kv", {4, 4, 4}).file());
  REQUIRE(shape);
  CHECK(shape->head_count == 8U);
  CHECK(shape->head_count_kv == 4U);
  shape = read(small().numbers("qwen3.attention.head_count_kv", {4, 0, 4}).file());
  REQUIRE(shape);
  CHECK(shape->block_count == 3U);
  CHECK(shape->head_count == 8U);
  CHECK_FALSE(shape->head_count_kv.has_value());
  CHECK(shape->layer_head_counts_kv == std::vector<std::uint32_t>{4, 0, 4});
  shape = read(small().numbers("qwen3.attention.head_count", {8, 0, 4}).file());
  REQUIRE(shape);
  CHECK_FALSE(shape->head_count.has_value());
}

TEST_CASE("the sizes of windows, experts, compressed caches and recurrent states are read") {
  const auto shape = read(small()
                              .u32("qwen3.attention.sliding_window", 512)
                              .u32("qwen3.attention.key_length_mla", 96)
                              .u32("qwen3.expert_used_count", 2)
                              .u32("qwen3.expert_feed_forward_length", 256)
                              .u32("qwen3.ssm.conv_kernel", 4)
                              .u32("qwen3.ssm.inner_size", 1024)
                              .u32("qwen3.ssm.state_size", 64)
                              .u32("qwen3.ssm.group_count", 1)
                              .u32("qwen3.shortconv.l_cache", 3)
                              .file());
  REQUIRE(shape);
  CHECK(shape->sliding_window == 512U);
  CHECK(shape->key_length_mla == 96U);
  CHECK(shape->expert_used_count == 2U);
  CHECK(shape->expert_feed_forward_length == 256U);
  CHECK(shape->ssm_conv_kernel == 4U);
  CHECK(shape->ssm_inner_size == 1024U);
  CHECK(shape->ssm_state_size == 64U);
  CHECK(shape->ssm_group_count == 1U);
  CHECK(shape->shortconv_l_cache == 3U);
}

TEST_CASE("a header that is cut off at any byte is an error") {
  const std::string whole = small().numbers("qwen3.x", {1, 2}).u32("qwen3.context_length", 7).file();
  REQUIRE(read(whole));
  const testing::FileTree tree;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    tree.write("m.gguf", whole.substr(0, n));
    CHECK(read_gguf_shape(tree.root() + "/m.gguf").has_error());
  }
}

TEST_CASE("a header with any one byte changed is read or refused, in bounded time") {
  const std::string whole =
      small().numbers("qwen3.x", {1, 2}).array("tokenizer.ggml.tokens", 8, 1).text("a").file();
  const testing::FileTree tree;
  std::size_t read = 0;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    for (const char value : {'\0', '\x01', '\x09', '\x7f', '\x80', '\xff'}) {
      std::string damaged = whole;
      damaged[n] = value;
      tree.write("m.gguf", damaged);
      read += read_gguf_shape(tree.root() + "/m.gguf") ? 1U : 0U;
    }
  }
  CHECK(read > 0);
}

TEST_CASE("a header with many bytes changed, or cut, is read or refused") {
  const std::string whole = small()
                                .numbers("qwen3.attention.head_count_kv", {4, 0, 4})
                                .string("general.name", "made")
                                .array("tokenizer.ggml.tokens", 8, 2)
                                .text("a")
                                .text("b")
                                .u32("qwen3.attention.sliding_window", 512)
                                .file();
  const testing::FileTree tree;
  std::mt19937 engine(1);  // the same files in every run
  std::size_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = whole.substr(0, round % 4 == 0 ? engine() % whole.size() : whole.size());
    for (std::size_t changes = damaged.empty() ? 0 : engine() % 8; changes > 0; --changes) {
      damaged[engine() % damaged.size()] = static_cast<char>(engine());
    }
    tree.write("m.gguf", damaged);
    const auto shape = read_gguf_shape(tree.root() + "/m.gguf");
    refused += shape ? 0U : 1U;
    CHECK((shape || !shape.error().message.empty()));
    CHECK((!shape || shape->layer_head_counts_kv.size() <= 1024));
  }
  CHECK(refused > 0);
  CHECK(refused < 2000);
}

TEST_CASE("lengths that the file cannot hold are refused and nothing is set aside for them") {
  constexpr std::uint64_t huge = ~0ULL;
  for (const std::uint64_t length : {huge, huge / 2, huge / 8 + 1, std::uint64_t{1} << 40U}) {
    CHECK(read(small().key("x", 8).raw(length).file()).has_error());       // text
    CHECK(read(small().array("x", 4, length).file()).has_error());         // numbers
    CHECK(read(small().array("x", 8, length).file()).has_error());         // texts
    CHECK(read(small().array("x", 8, 1).raw(length).file()).has_error());  // a text in an array
    CHECK(read(small().raw(length).file(4, 3)).has_error());               // a key's name
    CHECK(read(small().file(length, 3)).has_error());                      // number of keys
  }
}

TEST_CASE("arrays of arrays and unknown value types are refused") {
  CHECK(read(small().array("x", 9, 1).raw<std::uint32_t>(4).raw<std::uint64_t>(0).file()).has_error());
  CHECK(read(small().key("x", 13).raw<std::uint64_t>(0).file()).has_error());
}

TEST_CASE("texts over the bound are skipped and the rest is read") {
  const auto shape = read(small()
                              .string("tokenizer.chat_template", std::string(100'000, 'x'))
                              .string(std::string(300, 'k'), "v")
                              .u32("qwen3.context_length", 7)
                              .file());
  REQUIRE(shape);
  CHECK(shape->context_length == 7U);
}

TEST_CASE("what is no GGUF file of a known version is told so") {
  CHECK_THAT(read("").error().message, ContainsSubstring("not a GGUF file"));
  CHECK_THAT(read(small().file(3, 1)).error().message, ContainsSubstring("version 2 or 3"));
  CHECK(read(small().file(3, 2)).has_value());
  CHECK_THAT(read(Gguf().u32("a", 1).file()).error().message, ContainsSubstring("no architecture"));
  CHECK_THAT(read_gguf_shape("/nonexistent").error().message, ContainsSubstring("cannot be read"));
}

TEST_CASE("a pipe in the place of a model does not block the reader") {
  const testing::FileTree tree;
  const std::string path = tree.root() + "/pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(read_gguf_shape(path).has_error());
}
