// Each field of 1.0 lies where it lay then, with the type that it had; a callback has the same parameters and
// the same result. What was moved, removed, inserted before others or given another type does not compile;
// nor does another number for a macro, because both headers are read here.
#include "golden_1_0.hpp"

#include <cstddef>
#include <type_traits>

namespace {

// The same type, where a struct of then and its namesake of now count as one.
template <class Then, class Now>
struct Same : std::is_same<Then, Now> {};
template <class Then, class Now>
struct Same<const Then, const Now> : Same<Then, Now> {};
template <class Then, class Now>
struct Same<Then*, Now*> : Same<Then, Now> {};
template <class Then, class... Before, class Now, class... After>
requires(sizeof...(Before) == sizeof...(After)) struct Same<Then(Before...), Now(After...)>
    : std::conjunction<Same<Then, Now>, Same<Before, After>...> {
};

#define NAMESAKE(type) \
  template <>          \
  struct Same<golden::type, type> : std::true_type {}

NAMESAKE(llv_str);
NAMESAKE(llv_text);
NAMESAKE(llv_host);
NAMESAKE(llv_key);
NAMESAKE(llv_config);
NAMESAKE(llv_plugin);
NAMESAKE(llv_entry);
NAMESAKE(llv_model);
NAMESAKE(llv_snapshot);
NAMESAKE(llv_victims);
NAMESAKE(llv_eviction);
NAMESAKE(llv_context_model);
NAMESAKE(llv_context_request);
NAMESAKE(llv_context_choice);
NAMESAKE(llv_context);
NAMESAKE(llv_event);
NAMESAKE(llv_notify);

#define SAME(type, field)                                                                               \
  static_assert(offsetof(golden::type, field) == offsetof(type, field), #type "." #field " has moved"); \
  static_assert(Same<decltype(golden::type::field), decltype(type::field)>::value,                      \
                #type "." #field " has another type")

SAME(llv_str, data);
SAME(llv_str, size);

SAME(llv_text, struct_size);
SAME(llv_text, capacity);
SAME(llv_text, length);
SAME(llv_text, reserved);
SAME(llv_text, data);

SAME(llv_host, struct_size);
SAME(llv_host, abi_minor);
SAME(llv_host, ctx);
SAME(llv_host, log);
SAME(llv_host, now_ns);
SAME(llv_host, get_extension);

SAME(llv_key, name);
SAME(llv_key, default_value);
SAME(llv_key, help);
SAME(llv_key, type);
SAME(llv_key, flags);
SAME(llv_key, min);
SAME(llv_key, max);

SAME(llv_config, struct_size);
SAME(llv_config, reserved);
SAME(llv_config, ctx);
SAME(llv_config, get_i64);
SAME(llv_config, get_f64);
SAME(llv_config, get_str);
SAME(llv_config, get_item);

SAME(llv_plugin, struct_size);
SAME(llv_plugin, flags);
SAME(llv_plugin, id);
SAME(llv_plugin, version);
SAME(llv_plugin, summary);
SAME(llv_plugin, keys);
SAME(llv_plugin, key_count);
SAME(llv_plugin, key_stride);
SAME(llv_plugin, create);
SAME(llv_plugin, destroy);
SAME(llv_plugin, get_role);
SAME(llv_plugin, reconfigure);
SAME(llv_plugin, save);
SAME(llv_plugin, restore);

SAME(llv_entry, magic);
SAME(llv_entry, struct_size);
SAME(llv_entry, abi_major);
SAME(llv_entry, abi_minor);
SAME(llv_entry, min_host_minor);
SAME(llv_entry, reserved);
SAME(llv_entry, plugin_count);
SAME(llv_entry, reserved2);
SAME(llv_entry, plugins);

SAME(llv_model, struct_size);
SAME(llv_model, flags);
SAME(llv_model, known);
SAME(llv_model, name);
SAME(llv_model, size_bytes);
SAME(llv_model, rss_bytes);
SAME(llv_model, vram_bytes);
SAME(llv_model, last_used_ns);
SAME(llv_model, loaded_ns);
SAME(llv_model, in_flight);
SAME(llv_model, context_length);
SAME(llv_model, use_count);
SAME(llv_model, load_duration_ns);

SAME(llv_snapshot, struct_size);
SAME(llv_snapshot, model_count);
SAME(llv_snapshot, models);
SAME(llv_snapshot, model_stride);
SAME(llv_snapshot, known);
SAME(llv_snapshot, now_ns);
SAME(llv_snapshot, limit_bytes);
SAME(llv_snapshot, used_bytes);
SAME(llv_snapshot, available_bytes);
SAME(llv_snapshot, psi_some_avg10);
SAME(llv_snapshot, psi_full_avg10);

SAME(llv_victims, struct_size);
SAME(llv_victims, reserved);
SAME(llv_victims, ctx);
SAME(llv_victims, add);

SAME(llv_eviction, struct_size);
SAME(llv_eviction, reserved);
SAME(llv_eviction, rank);

SAME(llv_context_model, struct_size);
SAME(llv_context_model, reserved);
SAME(llv_context_model, known);
SAME(llv_context_model, name);
SAME(llv_context_model, weights_bytes);
SAME(llv_context_model, kv_bytes_per_token);
SAME(llv_context_model, trained_context);
SAME(llv_context_model, parameter_num_ctx);

SAME(llv_context_request, struct_size);
SAME(llv_context_request, reserved);
SAME(llv_context_request, known);
SAME(llv_context_request, wished_num_ctx);
SAME(llv_context_request, default_num_ctx);
SAME(llv_context_request, room_bytes);

SAME(llv_context_choice, struct_size);
SAME(llv_context_choice, num_ctx);
SAME(llv_context_choice, reason);

SAME(llv_context, struct_size);
SAME(llv_context, reserved);
SAME(llv_context, choose);

SAME(llv_event, struct_size);
SAME(llv_event, urgency);
SAME(llv_event, known);
SAME(llv_event, id);
SAME(llv_event, at_unix_ms);
SAME(llv_event, count);
SAME(llv_event, reserved);
SAME(llv_event, kind);
SAME(llv_event, summary);
SAME(llv_event, body);
SAME(llv_event, model);
SAME(llv_event, json);
SAME(llv_event, freed_bytes);
SAME(llv_event, available_bytes);

SAME(llv_notify, struct_size);
SAME(llv_notify, reserved);
SAME(llv_notify, on_event);

static_assert(sizeof(golden::llv_str) == sizeof(llv_str), "llv_str is passed by value and never grows");
static_assert(Same<decltype(golden::llv_plugin_entry_v1_golden), decltype(llv_plugin_entry_v1)>::value,
              "the entry has another type");
static_assert(sizeof(golden::llv_entry) <= sizeof(llv_entry), "llv_entry has shrunk");

}  // namespace
