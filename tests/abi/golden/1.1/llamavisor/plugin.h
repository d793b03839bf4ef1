/* SPDX-License-Identifier: Apache-2.0
 *
 * The C ABI between llamavisor (the host) and its plugins, version 1.0: entry, host, configuration.
 * The roles have headers of their own: eviction.h, context.h, notify.h. C++ authors want plugin.hpp.
 *
 * What holds everywhere
 * - Layout: 64-bit platforms, fixed-width types, explicit padding. Fields are appended, never moved,
 *   reused or given another meaning; a changed meaning is a new role id ("llv.eviction/2").
 * - Sizes: whoever fills a struct sets its `struct_size` to its own sizeof. A reader uses a field only
 *   when the field ends within struct_size. A callback exists when it ends within struct_size and is not
 *   NULL. Arrays of structs carry a stride in bytes, because elements grow too.
 * - Known masks: `known` has one bit for each field that may be missing. A bit that is 0 means "not
 *   known", never "zero"; the field then has no meaning. A host that is older than a field never sets
 *   its bit, so that a set bit also proves that the field is within the struct.
 * - Ownership: inputs are borrowed for the duration of the call. Results go into the host's sinks, which
 *   copy. Nothing that one side allocated is freed by the other. Tables and descriptors are static in
 *   the plugin and live until it is unloaded.
 * - Text is UTF-8, not NUL-ended, unless it is a `const char *` in a static table.
 * - Errors: >= 0 is success, negative is one of LLV_E_*. With an error goes a sentence in `error`, which
 *   is never NULL. No C++ exception may cross.
 * - Threads: [instance] calls to one instance never overlap, but may come from different threads;
 *   [any-thread] may be called at any time from any thread; [static] has no instance and may be called
 *   from any thread as soon as the library is loaded.
 * - Units: *_bytes are bytes, *_ns nanoseconds of the host's monotonic clock (llv_host.now_ns).
 */
#ifndef LLAMAVISOR_PLUGIN_H
#define LLAMAVISOR_PLUGIN_H

#include <stdint.h>

#define LLV_ABI_MAJOR 1
#define LLV_ABI_MINOR 1
#define LLV_ENTRY_MAGIC UINT32_C(0x31764c4c) /* the bytes "LLv1" in a little-endian file */

#if defined(__GNUC__)
#define LLV_EXPORT __attribute__((visibility("default")))
#else
#define LLV_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Answers of every function of this ABI. */
#define LLV_OK 0
#define LLV_E_FAILED (-1)        /* it did not work; the text says why */
#define LLV_E_INVALID (-2)       /* an argument or a configured value makes no sense */
#define LLV_E_UNAVAILABLE (-3)   /* something outside is not there (no bus, no program); may come back */
#define LLV_E_TIMEOUT (-4)       /* not done within its time */
#define LLV_E_TOO_SMALL (-5)     /* the llv_text is too small; `length` says how much is needed */
#define LLV_E_NEEDS_RESTART (-6) /* reconfigure(): make a new instance instead */
#define LLV_E_NOT_FOUND (-7)     /* no such key, no value, or no such item */
#define LLV_E_TYPE (-8)          /* the key is declared with another type */
#define LLV_E_REFUSED (-9)       /* a sink did not take the entry */

/* Borrowed text. `data` may be NULL when size is 0. */
typedef struct llv_str {
  const char* data;
  uint64_t size; /* bytes */
} llv_str;

/* A buffer of the caller, for text that comes out of a call. The caller sets everything, `length` to 0.
 * The callee writes at most `capacity` bytes to `data` and sets `length`. Text that does not fit is cut
 * at a character, except where LLV_E_TOO_SMALL is documented. */
typedef struct llv_text {
  uint32_t struct_size;
  uint32_t capacity; /* bytes; at least 512 for errors and reasons */
  uint32_t length;   /* bytes written */
  uint32_t reserved; /* 0 */
  char* data;
} llv_text;

#define LLV_LOG_DEBUG 0
#define LLV_LOG_INFO 1
#define LLV_LOG_WARN 2
#define LLV_LOG_ERROR 3

/* What the host offers to an instance. Valid from create() until destroy() returns; the pointer may be
 * kept. Pass `ctx` back unchanged. */
typedef struct llv_host {
  uint32_t struct_size;
  uint32_t abi_minor; /* of the host */
  void* ctx;
  /* [any-thread] One line for llamavisor's log, with the plugin's id put before it. Level LLV_LOG_*. */
  void (*log)(void* ctx, int32_t level, llv_str text);
  /* [any-thread] Now, in ns, on the clock of every *_ns value. Policies use no other clock: replay and
   * tests set this one. */
  uint64_t (*now_ns)(void* ctx);
  /* [instance] A table that later versions define, by id ("llv.kv/1"); NULL when the host has none.
   * Valid as long as the host table. */
  const void* (*get_extension)(void* ctx, const char* id);
} llv_host;

/* Types of configuration keys, and the getter that reads each. */
#define LLV_KEY_I64 1      /* get_i64 */
#define LLV_KEY_F64 2      /* get_f64 */
#define LLV_KEY_STR 3      /* get_str */
#define LLV_KEY_BOOL 4     /* get_i64: 0 or 1 */
#define LLV_KEY_DURATION 5 /* get_i64: ns. Written "30s", "1m30s", "250ms" */
#define LLV_KEY_BYTES 6    /* get_i64: bytes. Written "6GB", "512MB"; powers of 1024 */
#define LLV_KEY_STR_LIST 7 /* get_item */

#define LLV_KEY_REQUIRED UINT32_C(1) /* flag: the user must set it; only without a default */

/* One key of [plugins.<id>]. The host checks values against this table in `config check` and
 * before create(), fills the defaults, and shows it in `plugin info`. Static in the plugin. */
typedef struct llv_key {
  const char* name; /* [a-z][a-z0-9_]* */
  /* As the user would write it, without the quotes of a string; a list is a TOML array. NULL: no
   * default, the getter then answers LLV_E_NOT_FOUND. */
  const char* default_value;
  const char* help; /* one line: what it does, its unit, when to change it */
  int32_t type;     /* LLV_KEY_* */
  uint32_t flags;   /* LLV_KEY_REQUIRED or 0 */
  double min;       /* inclusive, in the unit of the getter; for numbers, durations and bytes */
  double max;       /* min == max: any value */
} llv_key;

/* The checked values. Valid only during create() or reconfigure(), and so is all text got from it.
 * `key` must be one of the plugin's own key table. All [instance]; each returns LLV_OK, LLV_E_NOT_FOUND
 * or LLV_E_TYPE, and leaves *out untouched unless LLV_OK. */
typedef struct llv_config {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  int32_t (*get_i64)(void* ctx, const char* key, int64_t* out);
  int32_t (*get_f64)(void* ctx, const char* key, double* out);
  int32_t (*get_str)(void* ctx, const char* key, llv_str* out);
  /* Item `index` of a list, from 0; LLV_E_NOT_FOUND past its end. */
  int32_t (*get_item)(void* ctx, const char* key, uint32_t index, llv_str* out);
} llv_config;

/* One plugin. Static. */
typedef struct llv_plugin {
  uint32_t struct_size;
  uint32_t flags;      /* 0 */
  const char* id;      /* [a-z][a-z0-9_]{0,31}; unique among the plugins loaded */
  const char* version; /* of the plugin, for people */
  const char* summary; /* one line: what it does */
  const llv_key* keys; /* NULL when key_count is 0 */
  uint32_t key_count;
  uint32_t key_stride; /* sizeof(llv_key) as the plugin was built */
  /* Makes an instance; several may live at once (a swap has two). On success *self is passed to every
   * other call. On failure it returns LLV_E_* with a text and leaves nothing behind. Must return within
   * the host's start deadline (seconds). Never NULL. */
  int32_t (*create)(const llv_host* host, const llv_config* config, llv_text* error, void** self);
  /* [instance] The last call to an instance; frees all it holds, ends its threads. Never NULL. */
  void (*destroy)(void* self);
  /* [static] The static table of a role that the plugin plays (llv_eviction for LLV_ROLE_EVICTION, ...),
   * or NULL. Never NULL itself. */
  const void* (*get_role)(const char* role_id);

  /* Optional from here on. */

  /* [instance] Takes over new values; on an error the old ones stay in force. LLV_E_NEEDS_RESTART or
   * NULL: the host makes a new instance and destroys this one. */
  int32_t (*reconfigure)(void* self, const llv_config* config, llv_text* error);
  /* [instance] Writes what a successor instance (perhaps of a newer version) shall know: text, at most
   * 64 KiB. LLV_E_TOO_SMALL when it does not fit. */
  int32_t (*save)(void* self, llv_text* out);
  /* [instance] Called at most once, right after create(), with what a predecessor saved. An error means
   * a fresh start, not a failure. */
  int32_t (*restore)(void* self, llv_str saved, llv_text* error);
} llv_plugin;

/* What the library exports. The first 16 bytes never change. The host loads it when the magic fits,
 * abi_major is its own, and min_host_minor is not above its own minor. */
typedef struct llv_entry {
  uint32_t magic; /* LLV_ENTRY_MAGIC */
  uint32_t struct_size;
  uint16_t abi_major;      /* LLV_ABI_MAJOR */
  uint16_t abi_minor;      /* LLV_ABI_MINOR that the plugin was built with */
  uint16_t min_host_minor; /* the oldest host that has all this plugin cannot do without */
  uint16_t reserved;       /* 0 */
  uint32_t plugin_count;
  uint32_t reserved2; /* 0 */
  const llv_plugin* const* plugins;
} llv_entry;

/* The one exported symbol of a plugin library; the ABI's major version is in its name. */
extern LLV_EXPORT const llv_entry llv_plugin_entry_v1;

#ifdef __cplusplus
}
#endif

#endif
