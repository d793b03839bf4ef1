// A host made of nothing but the C ABI: loads a built plugin with plain dlopen and drives it through its
// tables, with canned values. One thread.
#pragma once

#include <dlfcn.h>
#include <llamavisor/abi.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace sdk_rig {

inline std::string text_of(llv_str text) {
  return text.size == 0 ? std::string() : std::string(text.data, text.size);
}
inline llv_str str_of(const std::string& text) {
  return {text.data(), text.size()};
}

class Text {
 public:
  explicit Text(std::uint32_t capacity = 512) : buffer_(capacity, '?') {
    raw_ = {sizeof raw_, capacity, 0, 0, buffer_.data()};
  }
  llv_text* get() { return &raw_; }
  [[nodiscard]] std::string str() const { return {raw_.data, raw_.length}; }
  [[nodiscard]] std::uint32_t length() const { return raw_.length; }

 private:
  std::vector<char> buffer_;
  llv_text raw_{};
};

struct FakeHost {
  std::uint64_t now_ns = 1'000'000'000'000;
  std::vector<std::string> log;
  llv_host table{sizeof(llv_host),
                 LLV_ABI_MINOR,
                 this,
                 [](void* ctx, std::int32_t, llv_str text) {
                   static_cast<FakeHost*>(ctx)->log.push_back(text_of(text));
                 },
                 [](void* ctx) { return static_cast<FakeHost*>(ctx)->now_ns; },
                 [](void*, const char*) -> const void* { return nullptr; }};
};

using Value = std::variant<std::int64_t, double, std::string, std::vector<std::string>>;

struct FakeConfig {
  std::map<std::string, Value> values;
  llv_config table{sizeof(llv_config), 0, this, &get<std::int64_t>, &get<double>, &get_str, &get_item};

  template <class T>
  static std::int32_t find(void* ctx, const char* key, const T** out) {
    const auto& values = static_cast<FakeConfig*>(ctx)->values;
    const auto it = values.find(key);
    if (it == values.end()) {
      return LLV_E_NOT_FOUND;
    }
    *out = std::get_if<T>(&it->second);
    return *out == nullptr ? LLV_E_TYPE : LLV_OK;
  }
  template <class T>
  static std::int32_t get(void* ctx, const char* key, T* out) {
    const T* value = nullptr;
    const std::int32_t code = find<T>(ctx, key, &value);
    return code < 0 ? code : (*out = *value, LLV_OK);
  }
  static std::int32_t get_str(void* ctx, const char* key, llv_str* out) {
    const std::string* value = nullptr;
    const std::int32_t code = find(ctx, key, &value);
    return code < 0 ? code : (*out = str_of(*value), LLV_OK);
  }
  static std::int32_t get_item(void* ctx, const char* key, std::uint32_t index, llv_str* out) {
    const std::vector<std::string>* value = nullptr;
    const std::int32_t code = find(ctx, key, &value);
    if (code < 0 || index >= value->size()) {
      return code < 0 ? code : LLV_E_NOT_FOUND;
    }
    return *out = str_of((*value)[index]), LLV_OK;
  }
};

inline const llv_plugin& load(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays: the process ends soon
  if (library == nullptr) {
    throw std::runtime_error(dlerror());
  }
  const auto* entry = static_cast<const llv_entry*>(dlsym(library, "llv_plugin_entry_v1"));
  if (entry == nullptr || entry->magic != LLV_ENTRY_MAGIC || entry->plugin_count != 1) {
    throw std::runtime_error(path + ": no usable entry");
  }
  return *entry->plugins[0];
}
inline const llv_plugin& shipped(const std::string& name) {
  return load(LLV_PLUGIN_DIR "/" + name + ".so");
}
inline const llv_plugin& test_plugin(const std::string& name) {
  return load(LLV_PLUGIN_DIR "/../test_plugins/" + name + ".so");
}

struct Answer {
  std::int32_t code;
  std::string text;
};

// An instance; ends with this object. `made` says whether create() succeeded.
class Instance {
 public:
  explicit Instance(const llv_plugin& plugin, std::map<std::string, Value> values = {}) : plugin_(plugin) {
    FakeConfig config;
    config.values = std::move(values);
    Text error;
    made.code = plugin.create(&host.table, &config.table, error.get(), &self_);
    made.text = error.str();
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() {
    if (made.code >= 0) {
      plugin_.destroy(self_);
    }
  }
  template <class Role>
  const Role& role(const char* id) const {
    const void* table = plugin_.get_role(id);
    return table == nullptr ? throw std::runtime_error("role not played") : *static_cast<const Role*>(table);
  }
  [[nodiscard]] void* self() const { return self_; }
  [[nodiscard]] const llv_plugin& plugin() const { return plugin_; }

  FakeHost host;
  Answer made{};

 private:
  const llv_plugin& plugin_;
  void* self_ = nullptr;
};

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 100'000 * kSecond;
constexpr std::uint64_t kGiB = 1ULL << 30U;

inline llv_model model(const char* name, std::uint64_t size_bytes, std::uint64_t idle_s) {
  llv_model out{};
  out.struct_size = sizeof out;
  out.known = LLV_MODEL_HAS_FLAGS | LLV_MODEL_HAS_SIZE | LLV_MODEL_HAS_LAST_USED | LLV_MODEL_HAS_IN_FLIGHT;
  out.name = {name, std::strlen(name)};
  out.size_bytes = size_bytes;
  out.last_used_ns = kNow - idle_s * kSecond;
  return out;
}

inline llv_snapshot snapshot_of(const void* models, std::size_t count, std::size_t stride) {
  llv_snapshot out{};
  out.struct_size = sizeof out;
  out.model_count = static_cast<std::uint32_t>(count);
  out.models = static_cast<const llv_model*>(models);
  out.model_stride = stride;
  out.now_ns = kNow;
  return out;
}

struct Ranked {
  std::uint32_t index;
  double score;
  std::string reason;
};

struct Ranking : Answer {
  std::vector<Ranked> all;
  // Names in the order in which the host would evict.
  [[nodiscard]] std::vector<std::string> names(const std::vector<llv_model>& models) const;
};

inline Ranking rank(const Instance& instance, const llv_snapshot& snapshot) {
  Ranking out;
  const auto add = [](void* ctx, std::uint32_t index, double score, llv_str reason) -> std::int32_t {
    static_cast<Ranking*>(ctx)->all.push_back({index, score, text_of(reason)});
    return LLV_OK;
  };
  llv_victims sink{sizeof sink, 0, &out, add};
  Text error;
  out.code = instance.role<llv_eviction>(LLV_ROLE_EVICTION)
                 .rank(instance.self(), &snapshot, kGiB, &sink, error.get());
  out.text = error.str();
  return out;
}
// What the policy wants to go now; the code is LLV_E_NOT_FOUND when it has no due().
inline Ranking due(const Instance& instance, const llv_snapshot& snapshot) {
  Ranking out;
  const auto add = [](void* ctx, std::uint32_t index, double score, llv_str reason) -> std::int32_t {
    static_cast<Ranking*>(ctx)->all.push_back({index, score, text_of(reason)});
    return LLV_OK;
  };
  llv_victims sink{sizeof sink, 0, &out, add};
  Text error;
  const auto& table = instance.role<llv_eviction>(LLV_ROLE_EVICTION);
  out.code =
      table.due == nullptr ? LLV_E_NOT_FOUND : table.due(instance.self(), &snapshot, &sink, error.get());
  out.text = error.str();
  return out;
}
inline Ranking rank(const Instance& instance, const std::vector<llv_model>& models) {
  return rank(instance, snapshot_of(models.data(), models.size(), sizeof(llv_model)));
}

inline std::vector<std::string> Ranking::names(const std::vector<llv_model>& models) const {
  std::multimap<double, std::string, std::greater<>> sorted;
  for (const Ranked& one : all) {
    sorted.emplace(one.score, text_of(models.at(one.index).name));
  }
  std::vector<std::string> out;
  for (const auto& [score, name] : sorted) {
    out.push_back(name);
  }
  return out;
}

inline Answer notify(const Instance& instance, const std::string& kind, const std::string& summary,
                     const std::string& body, const std::string& json = "{}") {
  llv_event event{};
  event.struct_size = sizeof event;
  event.urgency = LLV_URGENCY_NORMAL;
  event.count = 1;
  event.kind = str_of(kind);
  event.summary = str_of(summary);
  event.body = str_of(body);
  event.json = str_of(json);
  Text error;
  const std::int32_t code =
      instance.role<llv_notify>(LLV_ROLE_NOTIFY).on_event(instance.self(), &event, error.get());
  return {code, error.str()};
}

}  // namespace sdk_rig
