/* An eviction plugin in C that is well made but for what the including file says in BAD_* macros. It ranks
 * the models in the order of the snapshot; `gently` says whether a call is the host's self-test, which a bad
 * ranking has to pass to get in charge. */
#include <llamavisor/abi.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifndef BAD_ID
#error "BAD_ID is the plugin's id"
#endif
#ifndef BAD_MAGIC
#define BAD_MAGIC LLV_ENTRY_MAGIC
#endif
#ifndef BAD_MAJOR
#define BAD_MAJOR LLV_ABI_MAJOR
#endif
#ifndef BAD_MIN_HOST_MINOR
#define BAD_MIN_HOST_MINOR 0
#endif
#ifndef BAD_ENTRY_SIZE
#define BAD_ENTRY_SIZE sizeof(llv_entry)
#endif
#ifndef BAD_PLUGIN_SIZE
#define BAD_PLUGIN_SIZE sizeof(llv_plugin)
#endif
#ifndef BAD_CREATE
#define BAD_CREATE create
#endif
#ifndef BAD_RANK
#define BAD_RANK rank
#endif
#ifndef BAD_ROLE
#define BAD_ROLE LLV_ROLE_EVICTION
#endif
#ifndef BAD_KEYS
#define BAD_KEYS NULL
#define BAD_KEY_COUNT 0
#endif
#ifndef BAD_SAVE
#define BAD_SAVE NULL
#endif
#ifndef BAD_PLUGINS
#define BAD_PLUGINS &plugin
#define BAD_PLUGIN_COUNT 1
#endif

#define UNUSED __attribute__((unused))

static const llv_str reason = {"first in the list", 17};

UNUSED static int gently(const llv_snapshot* snapshot) {
  return snapshot->model_count == 1 && snapshot->models[0].name.size == 16 &&
         memcmp(snapshot->models[0].name.data, "self-test:latest", 16) == 0;
}

UNUSED static void rank_all(const llv_snapshot* snapshot, llv_victims* out) {
  uint32_t i;
  for (i = 0; i < snapshot->model_count; ++i) {
    out->add(out->ctx, i, -(double)i, reason);
  }
}

UNUSED static int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** self) {
  (void)host;
  (void)config;
  (void)error;
  *self = malloc(1);
  return LLV_OK;
}

static void destroy(void* self) {
  free(self);
}

UNUSED static int32_t rank(void* self, const llv_snapshot* snapshot, uint64_t need_bytes, llv_victims* out,
                           llv_text* error) {
  (void)self;
  (void)need_bytes;
  (void)error;
  rank_all(snapshot, out);
  return LLV_OK;
}

#ifdef BAD_RANK_BODY
static int32_t bad_rank(void* self, const llv_snapshot* snapshot, uint64_t need_bytes, llv_victims* out,
                        llv_text* error) {
  (void)self;
  (void)need_bytes;
  (void)error;
  if (gently(snapshot)) {
    rank_all(snapshot, out);
    return LLV_OK;
  }
  BAD_RANK_BODY
}
#undef BAD_RANK
#define BAD_RANK bad_rank
#endif

static const llv_eviction eviction = {sizeof(llv_eviction), 0, BAD_RANK, NULL};

static const void* get_role(const char* role_id) {
  return strcmp(role_id, BAD_ROLE) == 0 ? &eviction : NULL;
}

static const llv_plugin plugin = {BAD_PLUGIN_SIZE,
                                  0,
                                  BAD_ID,
                                  "1.0.0",
                                  "Is bad in one way",
                                  BAD_KEYS,
                                  BAD_KEY_COUNT,
                                  sizeof(llv_key),
                                  BAD_CREATE,
                                  destroy,
                                  get_role,
                                  NULL,
                                  BAD_SAVE,
                                  NULL};
static const llv_plugin* const plugins[] = {BAD_PLUGINS};

const llv_entry llv_plugin_entry_v1 = {
    BAD_MAGIC, BAD_ENTRY_SIZE, BAD_MAJOR, LLV_ABI_MINOR, BAD_MIN_HOST_MINOR, 0, BAD_PLUGIN_COUNT, 0, plugins};
