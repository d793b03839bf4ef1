// SPDX-License-Identifier: Apache-2.0
//
// What stands between plugin.hpp's classes and the C tables: thunks that let no exception out, and the
// LLV_PLUGIN macro. Plugin authors need not read it. Included by plugin.hpp only.
#pragma once

namespace llamavisor {
inline namespace sdk_v1 {
namespace glue {

inline std::int32_t fail(llv_text* error, std::int32_t code, const char* text) noexcept {
  put(*error, text);
  return code;
}

template <class Body>
std::int32_t guarded(llv_text* error, Body&& body) noexcept {
  try {
    body();
    return LLV_OK;
  } catch (const PluginError& problem) {
    return fail(error, problem.code() < 0 ? problem.code() : LLV_E_FAILED, problem.what());
  } catch (const std::exception& problem) {
    return fail(error, LLV_E_FAILED, problem.what());
  } catch (...) {
    return fail(error, LLV_E_FAILED, "plugin misbehaved: it threw something that is not a std::exception");
  }
}

// What `self` points to.
template <class P>
struct Instance {
  Instance(const llv_host* host, const llv_config* config) : plugin(Host(host), Config(config)) {}
  P plugin;
  std::atomic<bool> busy{false};
};

// A call to an instance. The host promises that calls do not overlap; one that breaks the promise is
// refused before it can do harm.
template <class P, class Body>
std::int32_t call(void* self, llv_text* error, Body&& body) noexcept {
  auto& instance = *static_cast<Instance<P>*>(self);
  if (instance.busy.exchange(true, std::memory_order_acquire)) {
    return fail(error, LLV_E_FAILED, "host misbehaved: two calls to one instance overlap");
  }
  const std::int32_t code = guarded(error, [&] { body(instance.plugin); });
  instance.busy.store(false, std::memory_order_release);
  return code;
}

template <class P>
std::int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** self) noexcept {
  return guarded(error, [&] { *self = std::make_unique<Instance<P>>(host, config).release(); });
}

template <class P>
void destroy(void* self) noexcept {
  delete static_cast<Instance<P>*>(self);
}

template <class P>
std::int32_t rank(void* self, const llv_snapshot* snapshot, std::uint64_t need_bytes, llv_victims* out,
                  llv_text* error) noexcept {
  return call<P>(self, error, [&](Eviction& plugin) {
    Victims victims(out);
    plugin.rank(Snapshot(snapshot), need_bytes, victims);
  });
}

template <class P>
std::int32_t due(void* self, const llv_snapshot* snapshot, llv_victims* out, llv_text* error) noexcept {
  return call<P>(self, error, [&](Eviction& plugin) {
    Victims victims(out);
    plugin.due(Snapshot(snapshot), victims);
  });
}

// A policy that leaves due() as it is has none.
template <class P>
constexpr decltype(llv_eviction::due) due_of() {
  if constexpr (std::is_same_v<decltype(&P::due), decltype(&Eviction::due)>) {
    return nullptr;
  } else {
    return &due<P>;
  }
}

inline ContextModel wrap(const llv_context_model& raw) {
  return {view(raw.name), if_known(raw.known, LLV_CONTEXT_MODEL_HAS_WEIGHTS, raw.weights_bytes),
          if_known(raw.known, LLV_CONTEXT_MODEL_HAS_KV_PER_TOKEN, raw.kv_bytes_per_token),
          if_known(raw.known, LLV_CONTEXT_MODEL_HAS_TRAINED_CONTEXT, raw.trained_context),
          if_known(raw.known, LLV_CONTEXT_MODEL_HAS_PARAMETER_NUM_CTX, raw.parameter_num_ctx)};
}

inline ContextRequest wrap(const llv_context_request& raw) {
  return {if_known(raw.known, LLV_CONTEXT_REQUEST_HAS_WISH, raw.wished_num_ctx),
          if_known(raw.known, LLV_CONTEXT_REQUEST_HAS_DEFAULT, raw.default_num_ctx),
          if_known(raw.known, LLV_CONTEXT_REQUEST_HAS_ROOM, raw.room_bytes)};
}

template <class P>
std::int32_t choose(void* self, const llv_snapshot* snapshot, const llv_context_model* model,
                    const llv_context_request* request, llv_context_choice* out, llv_text* error) noexcept {
  return call<P>(self, error, [&](Context& plugin) {
    const ContextChoice choice = plugin.choose(Snapshot(snapshot), wrap(*model), wrap(*request));
    out->num_ctx = choice.num_ctx;
    put(*out->reason, choice.reason);
  });
}

inline Event wrap(const llv_event& raw) {
  return {view(raw.kind),
          view(raw.summary),
          view(raw.body),
          view(raw.json),
          raw.urgency,
          raw.count,
          raw.id,
          raw.at_unix_ms,
          if_known(raw.known, LLV_EVENT_HAS_MODEL, view(raw.model)),
          if_known(raw.known, LLV_EVENT_HAS_FREED, raw.freed_bytes),
          if_known(raw.known, LLV_EVENT_HAS_AVAILABLE, raw.available_bytes)};
}

template <class P>
std::int32_t on_event(void* self, const llv_event* event, llv_text* error) noexcept {
  return call<P>(self, error, [&](Notifier& plugin) { plugin.on_event(wrap(*event)); });
}

template <class P>
const void* get_role(const char* id) noexcept {
  if constexpr (std::is_base_of_v<Eviction, P>) {
    static constexpr llv_eviction table{sizeof(llv_eviction), 0, &rank<P>, due_of<P>()};
    if (std::strcmp(id, LLV_ROLE_EVICTION) == 0) {
      return &table;
    }
  }
  if constexpr (std::is_base_of_v<Context, P>) {
    static constexpr llv_context table{sizeof(llv_context), 0, &choose<P>};
    if (std::strcmp(id, LLV_ROLE_CONTEXT) == 0) {
      return &table;
    }
  }
  if constexpr (std::is_base_of_v<Notifier, P>) {
    static constexpr llv_notify table{sizeof(llv_notify), 0, &on_event<P>};
    if (std::strcmp(id, LLV_ROLE_NOTIFY) == 0) {
      return &table;
    }
  }
  return nullptr;
}

template <class P, class = void>
struct Optional {
  static constexpr decltype(llv_plugin::reconfigure) reconfigure = nullptr;
};
template <class P>
struct Optional<P, std::void_t<decltype(std::declval<P&>().reconfigure(std::declval<const Config&>()))>> {
  static std::int32_t reconfigure(void* self, const llv_config* config, llv_text* error) noexcept {
    return call<P>(self, error, [&](P& plugin) { plugin.reconfigure(Config(config)); });
  }
};

// save() and restore() come in a pair.
template <class P, class = void>
struct Memory {
  static constexpr decltype(llv_plugin::save) save = nullptr;
  static constexpr decltype(llv_plugin::restore) restore = nullptr;
};
template <class P>
struct Memory<P, std::void_t<decltype(std::string(std::declval<const P&>().save())),
                             decltype(std::declval<P&>().restore(std::string_view{}))>> {
  static std::int32_t save(void* self, llv_text* out) noexcept {
    const std::uint32_t capacity = out->capacity;
    std::uint32_t needed = 0;
    const std::int32_t code = call<P>(self, out, [&](const P& plugin) {
      const std::string state = plugin.save();
      needed = static_cast<std::uint32_t>(state.size());
      put(*out, state);
    });
    if (code < 0 || needed <= capacity) {
      return code;
    }
    out->length = needed;
    return LLV_E_TOO_SMALL;
  }
  static std::int32_t restore(void* self, llv_str saved, llv_text* error) noexcept {
    return call<P>(self, error, [&](P& plugin) { plugin.restore(view(saved)); });
  }
};

template <class... Keys>
constexpr std::array<llv_key, sizeof...(Keys)> keys_of(const char*, const char*, const char*, Keys... keys) {
  return {keys...};
}

template <class P, std::size_t N, class... Keys>
constexpr llv_plugin describe(const std::array<llv_key, N>& keys, const char* id, const char* version,
                              const char* summary, Keys...) {
  static_assert(
      std::is_base_of_v<Eviction, P> || std::is_base_of_v<Context, P> || std::is_base_of_v<Notifier, P>,
      "a plugin derives from llamavisor::Eviction, Context or Notifier");
  static_assert(std::is_constructible_v<P, Host, const Config&>,
                "a plugin has a constructor (llamavisor::Host, const llamavisor::Config&)");
  return {sizeof(llv_plugin),
          0,
          id,
          version,
          summary,
          keys.data(),
          static_cast<std::uint32_t>(N),
          sizeof(llv_key),
          &create<P>,
          &destroy<P>,
          &get_role<P>,
          Optional<P>::reconfigure,
          Memory<P>::save,
          Memory<P>::restore};
}

}  // namespace glue
}  // namespace sdk_v1
}  // namespace llamavisor

// LLV_PLUGIN(Class, id, version, summary, keys...): once in a library, outside any namespace.
#define LLV_PLUGIN(Class, ...)                                                                               \
  namespace {                                                                                                \
  constexpr auto llv_plugin_keys = ::llamavisor::glue::keys_of(__VA_ARGS__);                                 \
  constexpr llv_plugin llv_plugin_table = ::llamavisor::glue::describe<Class>(llv_plugin_keys, __VA_ARGS__); \
  constexpr const llv_plugin* llv_plugin_list[] = {&llv_plugin_table};                                       \
  }                                                                                                          \
  const llv_entry llv_plugin_entry_v1 = {                                                                    \
      LLV_ENTRY_MAGIC, sizeof(llv_entry), LLV_ABI_MAJOR, LLV_ABI_MINOR, 0, 0, 1, 0, llv_plugin_list};
