#include "ollama/gguf.h"

#include <cstring>
#include <fstream>
#include <map>
#include <variant>

namespace llamavisor {
namespace {

using Number = std::optional<std::uint64_t>;

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

// Reads forward within the bound; after any failure it stays bad and every read gives 0 or "".
class Reader {
 public:
  explicit Reader(const std::string& path) : in_(path, std::ios::binary) { good_ = static_cast<bool>(in_); }
  [[nodiscard]] bool good() const { return good_; }

  template <class T>
  T take() {
    T out{};
    char bytes[sizeof(T)] = {};
    if (reserve(sizeof(T)) && in_.read(bytes, sizeof(T))) {
      std::memcpy(&out, bytes, sizeof(T));
    } else {
      good_ = false;
    }
    return out;
  }
  // Longer strings than `keep` are skipped and read as "".
  std::string text(std::uint64_t keep) {
    const auto size = take<std::uint64_t>();
    if (size > keep) {
      skip(size);
      return {};
    }
    std::string out(good_ ? size : 0, '\0');
    if (!reserve(out.size()) || !in_.read(out.data(), static_cast<std::streamsize>(out.size()))) {
      good_ = false;
    }
    return out;
  }
  void skip(std::uint64_t bytes) {
    if (!reserve(bytes) || !in_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur)) {
      good_ = false;
    }
  }

 private:
  bool reserve(std::uint64_t bytes) {
    good_ = good_ && bytes <= left_;
    left_ -= good_ ? bytes : 0;
    return good_;
  }
  std::ifstream in_;
  std::uint64_t left_ = kMaxHeaderBytes;
  bool good_ = true;
};

Number whole_number(Reader& reader, std::uint32_t type) {
  switch (type) {
    case kU8:
      return reader.take<std::uint8_t>();
    case kU16:
      return reader.take<std::uint16_t>();
    case kU32:
      return reader.take<std::uint32_t>();
    case kU64:
      return reader.take<std::uint64_t>();
    case kI32: {
      const auto value = reader.take<std::int32_t>();
      return value < 0 ? Number() : Number(static_cast<std::uint64_t>(value));
    }
    default:
      reader.skip(size_of(type));
      return std::nullopt;
  }
}

void skip_array(Reader& reader) {
  const auto type = reader.take<std::uint32_t>();
  const auto count = reader.take<std::uint64_t>();
  if (type == kString) {
    for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
      reader.text(0);
    }
  } else if (const std::uint64_t size = size_of(type); size == 0 || count > kMaxHeaderBytes) {
    reader.skip(kMaxHeaderBytes + 1);  // nested arrays do not occur in headers: give up
  } else {
    reader.skip(count * size);
  }
}

std::optional<std::uint32_t> key(const std::map<std::string, std::uint64_t>& numbers,
                                 const std::string& name) {
  const auto it = numbers.find(name);
  return it == numbers.end() || it->second > 0xffffffffU
             ? std::nullopt
             : std::optional(static_cast<std::uint32_t>(it->second));
}

}  // namespace

Result<ModelShape> read_gguf_shape(const std::string& path) {
  Reader reader(path);
  if (!reader.good()) {
    return Error(path + ": cannot be read");
  }
  const auto magic = reader.take<std::uint32_t>();
  const auto version = reader.take<std::uint32_t>();
  if (magic != 0x46554747U || version < 2 || version > 3) {
    return Error(path + ": not a GGUF file of version 2 or 3");
  }
  reader.skip(8);  // tensor count
  const auto count = reader.take<std::uint64_t>();
  ModelShape out;
  std::map<std::string, std::uint64_t> numbers;
  for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
    const std::string name = reader.text(256);
    const auto type = reader.take<std::uint32_t>();
    if (type == kString) {
      const std::string value = reader.text(256);
      out.architecture = name == "general.architecture" ? value : out.architecture;
    } else if (type == kArray) {
      skip_array(reader);
    } else if (size_of(type) == 0) {
      return Error(path + ": unknown value type in the header");
    } else if (const Number value = whole_number(reader, type); value && numbers.size() < 1024) {
      numbers[name] = *value;
    }
    if (name.starts_with("tokenizer.") && numbers.contains(out.architecture + ".attention.head_count")) {
      break;  // the vocabulary comes last; what the forecast needs stands before it
    }
  }
  if (!reader.good()) {
    return Error(path + ": the GGUF header is cut short or too large");
  }
  const std::string prefix = out.architecture + ".";
  out.block_count = key(numbers, prefix + "block_count");
  out.context_length = key(numbers, prefix + "context_length");
  out.embedding_length = key(numbers, prefix + "embedding_length");
  out.head_count = key(numbers, prefix + "attention.head_count");
  out.head_count_kv = key(numbers, prefix + "attention.head_count_kv");
  out.key_length = key(numbers, prefix + "attention.key_length");
  out.value_length = key(numbers, prefix + "attention.value_length");
  out.pooling_type = key(numbers, prefix + "pooling_type");
  return out;
}

}  // namespace llamavisor
