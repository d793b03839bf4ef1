#include "ollama/gguf.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "ollama/bounded_reader.h"

namespace llamavisor {
namespace {

// Value types of the GGUF specification.
enum Type : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// 0: no plain value.
std::uint64_t size_of(std::uint32_t type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool:
      return 1;
    case kU16:
    case kI16:
      return 2;
    case kU32:
    case kI32:
    case kF32:
      return 4;
    case kU64:
    case kI64:
    case kF64:
      return 8;
    default:
      return 0;
  }
}

template <class Signed>
std::optional<std::uint64_t> not_negative(Signed value) {
  return value < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(value));
}

// Absent for what is no whole number of at least 0.
std::optional<std::uint64_t> take_number(BoundedReader& reader, std::uint32_t type) {
  switch (type) {
    case kU8:
      return reader.take<std::uint8_t>();
    case kU16:
      return reader.take<std::uint16_t>();
    case kU32:
      return reader.take<std::uint32_t>();
    case kU64:
      return reader.take<std::uint64_t>();
    case kI8:
      return not_negative(reader.take<std::int8_t>());
    case kI16:
      return not_negative(reader.take<std::int16_t>());
    case kI32:
      return not_negative(reader.take<std::int32_t>());
    case kI64:
      return not_negative(reader.take<std::int64_t>());
    default:
      reader.skip(size_of(type));
      return std::nullopt;
  }
}

// What the header says, by key. Lengths of arrays and the one number of an array of equal numbers included.
struct Keys {
  std::string architecture;
  std::map<std::string, std::uint64_t> numbers;
  std::map<std::string, std::uint64_t> lengths;
  std::map<std::string, std::vector<std::uint32_t>> uneven;  // arrays whose numbers differ, or are none
};

void take_numbers(BoundedReader& reader, std::uint32_t type, std::uint64_t count, const std::string& name,
                  Keys& keys) {
  std::vector<std::uint32_t> values;
  bool whole = true;
  for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
    const auto value = take_number(reader, type);
    whole = whole && value.value_or(~0ULL) <= 0xffffffffU;
    values.push_back(static_cast<std::uint32_t>(value.value_or(0)));
  }
  const bool even = std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
  if (!whole || values.empty()) {
    keys.uneven[name] = {};
  } else if (even) {
    keys.numbers[name] = values.front();
  } else {
    keys.uneven[name] = std::move(values);
  }
}

// Arrays of at most this many plain values may be one number a layer.
constexpr std::uint64_t kMaxLayers = 1024;

void take_array(BoundedReader& reader, const std::string& name, Keys& keys) {
  const auto type = reader.take<std::uint32_t>();
  const auto count = reader.take<std::uint64_t>();
  const std::uint64_t size = size_of(type);
  keys.lengths[name] = count;
  if (type == kString && count <= reader.left() / 8) {
    for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
      reader.skip(reader.take<std::uint64_t>());
    }
  } else if (size == 0 || count > reader.left() / size) {
    reader.fail();  // arrays of arrays do not occur in model headers
  } else if (count <= kMaxLayers) {
    take_numbers(reader, type, count, name, keys);
  } else {
    reader.skip(count * size);
  }
}

void take_pair(BoundedReader& reader, Keys& keys) {
  const std::string name = reader.text(reader.take<std::uint64_t>(), kMaxHeaderText);
  const auto type = reader.take<std::uint32_t>();
  if (type == kString) {
    const std::string value = reader.text(reader.take<std::uint64_t>(), kMaxHeaderText);
    keys.architecture = name == "general.architecture" ? value : keys.architecture;
  } else if (type == kArray) {
    take_array(reader, name, keys);
  } else if (size_of(type) == 0) {
    reader.fail();
  } else if (const auto value = take_number(reader, type)) {
    keys.numbers[name] = *value;
  }
}

std::optional<std::uint32_t> find(const std::map<std::string, std::uint64_t>& numbers,
                                  const std::string& name) {
  const auto it = numbers.find(name);
  return it == numbers.end() || it->second > 0xffffffffU
             ? std::nullopt
             : std::optional(static_cast<std::uint32_t>(it->second));
}

ModelShape shape_of(const Keys& keys) {
  const std::string prefix = keys.architecture + ".";
  const std::string heads = prefix + "attention.head_count";
  ModelShape out;
  out.architecture = keys.architecture;
  out.block_count = find(keys.numbers, prefix + "block_count");
  out.context_length = find(keys.numbers, prefix + "context_length");
  out.embedding_length = find(keys.numbers, prefix + "embedding_length");
  out.head_count = keys.uneven.contains(heads) ? std::nullopt : find(keys.numbers, heads);
  out.head_count_kv = find(keys.numbers, heads + "_kv");
  if (const auto layers = keys.uneven.find(heads + "_kv"); layers != keys.uneven.end()) {
    out.layer_head_counts_kv = layers->second;
    out.head_count = layers->second.empty() ? std::nullopt : out.head_count;
  }
  out.key_length = find(keys.numbers, prefix + "attention.key_length");
  out.value_length = find(keys.numbers, prefix + "attention.value_length");
  out.pooling_type = find(keys.numbers, prefix + "pooling_type");
  out.feed_forward_length = find(keys.numbers, prefix + "feed_forward_length");
  out.vocabulary = find(keys.lengths, "tokenizer.ggml.tokens");
  out.sliding_window = find(keys.numbers, prefix + "attention.sliding_window");
  out.key_length_mla = find(keys.numbers, prefix + "attention.key_length_mla");
  out.expert_used_count = find(keys.numbers, prefix + "expert_used_count");
  out.expert_feed_forward_length = find(keys.numbers, prefix + "expert_feed_forward_length");
  out.ssm_conv_kernel = find(keys.numbers, prefix + "ssm.conv_kernel");
  out.ssm_inner_size = find(keys.numbers, prefix + "ssm.inner_size");
  out.ssm_state_size = find(keys.numbers, prefix + "ssm.state_size");
  out.ssm_group_count = find(keys.numbers, prefix + "ssm.group_count");
  out.shortconv_l_cache = find(keys.numbers, prefix + "shortconv.l_cache");
  return out;
}

}  // namespace

Result<ModelShape> read_gguf_shape(const std::string& path) {
  BoundedReader reader(path, kMaxHeaderBytes);
  if (!reader.good()) {
    return Error(path + ": cannot be read");
  }
  const auto magic = reader.take<std::uint32_t>();
  const auto version = reader.take<std::uint32_t>();
  if (magic != 0x46554747U || version < 2 || version > 3) {
    return Error(path + ": not a GGUF file of version 2 or 3");
  }
  reader.skip(8);  // number of tensors
  const auto count = reader.take<std::uint64_t>();
  if (count > kMaxHeaderKeys) {
    return Error(path + ": the GGUF header has more than " + std::to_string(kMaxHeaderKeys) + " keys");
  }
  Keys keys;
  for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
    take_pair(reader, keys);
  }
  if (!reader.good()) {
    return Error(path + ": the GGUF header is cut short, damaged or too large");
  }
  if (keys.architecture.empty()) {
    return Error(path + ": the GGUF header names no architecture");
  }
  return shape_of(keys);
}

}  // namespace llamavisor
