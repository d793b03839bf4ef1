/* Sizes and offsets of ABI 1.0 on 64-bit machines, as numbers: a field that moved, or one that was inserted,
 * does not compile. Fields that later minors append go to a file of their own minor. */
#include <llamavisor/abi.h>
#include <stddef.h>

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")
#define AT_LEAST(type, size) _Static_assert(sizeof(type) >= (size), #type " shrank")

AT(llv_str, data, 0);
AT(llv_str, size, 8);
_Static_assert(sizeof(llv_str) == 16, "llv_str is passed by value and never grows");

AT(llv_text, capacity, 4);
AT(llv_text, length, 8);
AT(llv_text, data, 16);
AT_LEAST(llv_text, 24);

AT(llv_host, abi_minor, 4);
AT(llv_host, ctx, 8);
AT(llv_host, log, 16);
AT(llv_host, now_ns, 24);
AT(llv_host, get_extension, 32);
AT_LEAST(llv_host, 40);

AT(llv_key, name, 0);
AT(llv_key, default_value, 8);
AT(llv_key, help, 16);
AT(llv_key, type, 24);
AT(llv_key, flags, 28);
AT(llv_key, min, 32);
AT(llv_key, max, 40);
AT_LEAST(llv_key, 48);

AT(llv_config, ctx, 8);
AT(llv_config, get_i64, 16);
AT(llv_config, get_f64, 24);
AT(llv_config, get_str, 32);
AT(llv_config, get_item, 40);
AT_LEAST(llv_config, 48);

AT(llv_plugin, flags, 4);
AT(llv_plugin, id, 8);
AT(llv_plugin, version, 16);
AT(llv_plugin, summary, 24);
AT(llv_plugin, keys, 32);
AT(llv_plugin, key_count, 40);
AT(llv_plugin, key_stride, 44);
AT(llv_plugin, create, 48);
AT(llv_plugin, destroy, 56);
AT(llv_plugin, get_role, 64);
AT(llv_plugin, reconfigure, 72);
AT(llv_plugin, save, 80);
AT(llv_plugin, restore, 88);
AT_LEAST(llv_plugin, 96);

AT(llv_entry, magic, 0);
AT(llv_entry, struct_size, 4);
AT(llv_entry, abi_major, 8);
AT(llv_entry, abi_minor, 10);
AT(llv_entry, min_host_minor, 12);
AT(llv_entry, plugin_count, 16);
AT(llv_entry, plugins, 24);
AT_LEAST(llv_entry, 32);

AT(llv_model, flags, 4);
AT(llv_model, known, 8);
AT(llv_model, name, 16);
AT(llv_model, size_bytes, 32);
AT(llv_model, rss_bytes, 40);
AT(llv_model, vram_bytes, 48);
AT(llv_model, last_used_ns, 56);
AT(llv_model, loaded_ns, 64);
AT(llv_model, in_flight, 72);
AT(llv_model, context_length, 76);
AT(llv_model, use_count, 80);
AT(llv_model, load_duration_ns, 88);
AT_LEAST(llv_model, 96);

AT(llv_snapshot, model_count, 4);
AT(llv_snapshot, models, 8);
AT(llv_snapshot, model_stride, 16);
AT(llv_snapshot, known, 24);
AT(llv_snapshot, now_ns, 32);
AT(llv_snapshot, limit_bytes, 40);
AT(llv_snapshot, used_bytes, 48);
AT(llv_snapshot, available_bytes, 56);
AT(llv_snapshot, psi_some_avg10, 64);
AT(llv_snapshot, psi_full_avg10, 72);
AT_LEAST(llv_snapshot, 80);

AT(llv_victims, ctx, 8);
AT(llv_victims, add, 16);
AT_LEAST(llv_victims, 24);
AT(llv_eviction, rank, 8);
AT_LEAST(llv_eviction, 16);

AT(llv_context_model, known, 8);
AT(llv_context_model, name, 16);
AT(llv_context_model, weights_bytes, 32);
AT(llv_context_model, kv_bytes_per_token, 40);
AT(llv_context_model, trained_context, 48);
AT(llv_context_model, parameter_num_ctx, 52);
AT_LEAST(llv_context_model, 56);
AT(llv_context_request, known, 8);
AT(llv_context_request, wished_num_ctx, 16);
AT(llv_context_request, default_num_ctx, 20);
AT(llv_context_request, room_bytes, 24);
AT_LEAST(llv_context_request, 32);
AT(llv_context_choice, num_ctx, 4);
AT(llv_context_choice, reason, 8);
AT_LEAST(llv_context_choice, 16);
AT(llv_context, choose, 8);
AT_LEAST(llv_context, 16);

AT(llv_event, urgency, 4);
AT(llv_event, known, 8);
AT(llv_event, id, 16);
AT(llv_event, at_unix_ms, 24);
AT(llv_event, count, 32);
AT(llv_event, kind, 40);
AT(llv_event, summary, 56);
AT(llv_event, body, 72);
AT(llv_event, model, 88);
AT(llv_event, json, 104);
AT(llv_event, freed_bytes, 120);
AT(llv_event, available_bytes, 128);
AT_LEAST(llv_event, 136);
AT(llv_notify, on_event, 8);
AT_LEAST(llv_notify, 16);
