// SPDX-License-Identifier: Apache-2.0
//
// The C++17 wrapper of the C ABI, header-only: derive from a role, then describe the plugin once.
//
//   class Lru final : public llamavisor::Eviction {
//    public:
//     Lru(llamavisor::Host host, const llamavisor::Config& config);
//     void rank(const llamavisor::Snapshot&, llamavisor::Bytes need, llamavisor::Victims&) override;
//   };
//   LLV_PLUGIN(Lru, "lru", "1.0.0", "one line about it", llamavisor::key(...), ...)
//
// Any exception of a plugin becomes an error code with what() as its text; throw PluginError to choose the
// code. Threads and deadlines are those of the C headers. A class may have these members as well:
//   void reconfigure(const Config&);  std::string save() const;  void restore(std::string_view saved);
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "abi.h"

namespace llamavisor {
inline namespace sdk_v1 {

using Bytes = std::uint64_t;
using std::chrono::nanoseconds;

class PluginError : public std::runtime_error {
 public:
  PluginError(std::int32_t code, const std::string& text) : std::runtime_error(text), code_(code) {}
  [[nodiscard]] std::int32_t code() const noexcept { return code_; }

 private:
  std::int32_t code_;
};

inline std::string_view view(llv_str text) {
  return text.size == 0 ? std::string_view{} : std::string_view(text.data, text.size);
}
inline llv_str borrow(std::string_view text) {
  return {text.data(), text.size()};
}

// Fills the caller's buffer; text that is too long is cut at a character. [any-thread]
inline void put(llv_text& out, std::string_view text) noexcept {
  std::size_t size = text.size() < out.capacity ? text.size() : out.capacity;
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
    --size;
  }
  if (size > 0) {
    std::memcpy(out.data, text.data(), size);
  }
  out.length = static_cast<std::uint32_t>(size);
}

// llv_host. Copies are cheap; all of them end with the instance.
class Host {
 public:
  explicit Host(const llv_host* host) : host_(host) {}
  void log(std::int32_t level, std::string_view text) const { host_->log(host_->ctx, level, borrow(text)); }
  [[nodiscard]] nanoseconds now() const {
    return nanoseconds(static_cast<std::int64_t>(host_->now_ns(host_->ctx)));
  }
  [[nodiscard]] const void* extension(const char* id) const { return host_->get_extension(host_->ctx, id); }

 private:
  const llv_host* host_;
};

// llv_config: typed getters, valid only in the constructor and in reconfigure(). A key without a value is a
// PluginError; a list without one is empty.
class Config {
 public:
  explicit Config(const llv_config* config) : config_(config) {}
  [[nodiscard]] std::int64_t integer(const char* key) const {
    return get<std::int64_t>(key, config_->get_i64);
  }
  [[nodiscard]] double number(const char* key) const { return get<double>(key, config_->get_f64); }
  [[nodiscard]] bool flag(const char* key) const { return integer(key) != 0; }
  [[nodiscard]] nanoseconds duration(const char* key) const { return nanoseconds(integer(key)); }
  [[nodiscard]] Bytes bytes(const char* key) const { return static_cast<Bytes>(integer(key)); }
  [[nodiscard]] std::string text(const char* key) const {
    return std::string(view(get<llv_str>(key, config_->get_str)));
  }
  [[nodiscard]] std::vector<std::string> list(const char* key) const {
    std::vector<std::string> out;
    llv_str item{};
    std::int32_t code = LLV_OK;
    for (std::uint32_t i = 0; (code = config_->get_item(config_->ctx, key, i, &item)) >= 0; ++i) {
      out.emplace_back(view(item));
    }
    return code == LLV_E_NOT_FOUND ? out : throw unreadable(key, code);
  }

 private:
  template <class T>
  T get(const char* key, std::int32_t (*getter)(void*, const char*, T*)) const {
    T out{};
    const std::int32_t code = getter(config_->ctx, key, &out);
    return code >= 0 ? out : throw unreadable(key, code);
  }
  static PluginError unreadable(const char* key, std::int32_t code) {
    return {LLV_E_INVALID,
            "key " + std::string(key) + (code == LLV_E_TYPE ? ": another type" : ": no value")};
  }
  const llv_config* config_;
};

// One entry of the key table; see llv_key for what the fields mean.
constexpr llv_key key(std::int32_t type, const char* name, const char* default_value, const char* help,
                      double min = 0, double max = 0, std::uint32_t flags = 0) {
  return {name, default_value, help, type, flags, min, max};
}

template <class T>
std::optional<T> if_known(std::uint64_t known, std::uint64_t bit, T value) {
  return (known & bit) != 0 ? std::optional<T>(value) : std::nullopt;
}

// The same for a field that a later minor appended: read only when its bit says that it is there.
template <class S, class T>
std::optional<T> if_known(const S& raw, std::uint64_t bit, T S::*field) {
  return (raw.known & bit) != 0 ? std::optional<T>(raw.*field) : std::nullopt;
}

// llv_model. What is not known is empty, and the policy has to choose.
struct Model {
  Model(const llv_model& raw, std::uint32_t at, std::uint64_t now_ns)
      : index(at),
        name(view(raw.name)),
        pinned((raw.known & LLV_MODEL_HAS_FLAGS) != 0 && (raw.flags & LLV_MODEL_IS_PINNED) != 0),
        settling((raw.known & LLV_MODEL_HAS_FLAGS) != 0 && (raw.flags & LLV_MODEL_IS_SETTLING) != 0),
        size(if_known(raw.known, LLV_MODEL_HAS_SIZE, raw.size_bytes)),
        rss(if_known(raw.known, LLV_MODEL_HAS_RSS, raw.rss_bytes)),
        vram(if_known(raw.known, LLV_MODEL_HAS_VRAM, raw.vram_bytes)),
        idle(if_known(raw.known, LLV_MODEL_HAS_LAST_USED, since(raw.last_used_ns, now_ns))),
        resident(if_known(raw.known, LLV_MODEL_HAS_LOADED, since(raw.loaded_ns, now_ns))),
        in_flight(if_known(raw.known, LLV_MODEL_HAS_IN_FLIGHT, raw.in_flight)),
        context_length(if_known(raw.known, LLV_MODEL_HAS_CONTEXT_LENGTH, raw.context_length)),
        use_count(if_known(raw.known, LLV_MODEL_HAS_USE_COUNT, raw.use_count)),
        load_duration(if_known(raw.known, LLV_MODEL_HAS_LOAD_DURATION, since(0, raw.load_duration_ns))),
        total_uses(if_known(raw, LLV_MODEL_HAS_TOTAL_USES, &llv_model::total_uses)),
        priority(if_known(raw, LLV_MODEL_HAS_PRIORITY, &llv_model::priority)),
        quick_returns(if_known(raw, LLV_MODEL_HAS_QUICK_RETURNS, &llv_model::quick_returns)) {
    if (const auto ns = if_known(raw, LLV_MODEL_HAS_RELOAD, &llv_model::reload_ns)) {
      reload = since(0, *ns);
    }
  }

  // Not pinned, not being loaded or unloaded, and not known to be busy.
  [[nodiscard]] bool evictable() const { return !pinned && !settling && in_flight.value_or(0) == 0; }

  std::uint32_t index;
  std::string_view name;
  bool pinned;
  bool settling;
  std::optional<Bytes> size, rss, vram;
  std::optional<nanoseconds> idle;      // since its last use
  std::optional<nanoseconds> resident;  // since it was loaded
  std::optional<std::uint32_t> in_flight, context_length;
  std::optional<std::uint64_t> use_count;
  std::optional<nanoseconds> load_duration;
  std::optional<std::uint64_t> total_uses;  // over all residencies
  std::optional<nanoseconds> reload;        // what loading it again takes
  std::optional<std::int32_t> priority;
  std::optional<std::uint32_t> quick_returns;

 private:
  static nanoseconds since(std::uint64_t then, std::uint64_t now) {
    return nanoseconds(static_cast<std::int64_t>(now > then ? now - then : 0));
  }
};

// llv_snapshot; iterate over it for the models: for (const Model& model : snapshot).
class Snapshot {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Model;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Model;
    Iterator(const llv_snapshot* raw, std::uint32_t at) : raw_(raw), at_(at) {}
    Model operator*() const {
      const auto* first = reinterpret_cast<const char*>(raw_->models);
      const auto* one = reinterpret_cast<const llv_model*>(first + at_ * raw_->model_stride);
      return {*one, at_, raw_->now_ns};
    }
    Iterator& operator++() { return ++at_, *this; }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const llv_snapshot* raw_;
    std::uint32_t at_;
  };
  explicit Snapshot(const llv_snapshot* raw)
      : limit(if_known(raw->known, LLV_SNAPSHOT_HAS_LIMIT, raw->limit_bytes)),
        used(if_known(raw->known, LLV_SNAPSHOT_HAS_USED, raw->used_bytes)),
        available(if_known(raw->known, LLV_SNAPSHOT_HAS_AVAILABLE, raw->available_bytes)),
        psi_some(if_known(raw->known, LLV_SNAPSHOT_HAS_PSI_SOME, raw->psi_some_avg10)),
        psi_full(if_known(raw->known, LLV_SNAPSHOT_HAS_PSI_FULL, raw->psi_full_avg10)),
        local_minute(if_known(*raw, LLV_SNAPSHOT_HAS_LOCAL_MINUTE, &llv_snapshot::local_minute)),
        now(static_cast<std::int64_t>(raw->now_ns)),
        raw_(raw) {}
  [[nodiscard]] Iterator begin() const { return {raw_, 0}; }
  [[nodiscard]] Iterator end() const { return {raw_, raw_->model_count}; }

  std::optional<Bytes> limit, used, available;
  std::optional<double> psi_some, psi_full;
  std::optional<std::uint32_t> local_minute;  // of the day, 0 to 1439
  nanoseconds now;                            // when it was taken, on the clock of Host::now()

 private:
  const llv_snapshot* raw_;
};

// llv_victims: the host's sink. False: the host refused the entry, and has logged why.
class Victims {
 public:
  explicit Victims(llv_victims* raw) : raw_(raw) {}
  bool add(const Model& model, double score, std::string_view reason) {
    return raw_->add(raw_->ctx, model.index, score, borrow(reason)) >= 0;
  }

 private:
  llv_victims* raw_;
};

struct ContextModel {
  std::string_view name;
  std::optional<Bytes> weights, kv_bytes_per_token;
  std::optional<std::uint32_t> trained_context, parameter_num_ctx;
};
struct ContextRequest {
  std::optional<std::uint32_t> wish, default_num_ctx;
  std::optional<Bytes> room;
};
struct ContextChoice {
  std::uint32_t num_ctx;
  std::string reason;
};

struct Event {
  std::string_view kind, summary, body, json;
  std::int32_t urgency;
  std::uint32_t count;
  std::uint64_t id, at_unix_ms;
  std::optional<std::string_view> model;
  std::optional<Bytes> freed, available;
};

// The roles. A plugin has a constructor (Host, const Config&).
class Eviction {
 public:
  virtual ~Eviction() = default;
  virtual void rank(const Snapshot& snapshot, Bytes need, Victims& out) = 0;
  // Override it to unload models when memory is not short.
  virtual void due(const Snapshot& /*snapshot*/, Victims& /*out*/) {}
};
class Context {
 public:
  virtual ~Context() = default;
  virtual ContextChoice choose(const Snapshot& snapshot, const ContextModel& model,
                               const ContextRequest& request) = 0;
};
class Notifier {
 public:
  virtual ~Notifier() = default;
  virtual void on_event(const Event& event) = 0;
};

}  // namespace sdk_v1
}  // namespace llamavisor

#include "plugin_glue.hpp"  // IWYU pragma: export
