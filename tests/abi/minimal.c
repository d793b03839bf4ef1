/* The smallest plugin in plain C: ranks the models in the order of the snapshot, first goes first. */
#include <llamavisor/abi.h>
#include <stddef.h>
#include <string.h>

static int instances;

static int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** self) {
  (void)host;
  (void)config;
  (void)error;
  ++instances;
  *self = &instances;
  return LLV_OK;
}

static void destroy(void* self) {
  (void)self;
  --instances;
}

static int32_t rank(void* self, const llv_snapshot* snapshot, uint64_t need_bytes, llv_victims* out,
                    llv_text* error) {
  static const char reason[] = "first in the list";
  const llv_str text = {reason, sizeof reason - 1};
  uint32_t i;
  (void)self;
  (void)need_bytes;
  (void)error;
  for (i = 0; i < snapshot->model_count; ++i) {
    out->add(out->ctx, i, -(double)i, text);
  }
  return LLV_OK;
}

static const llv_eviction eviction = {.struct_size = sizeof(llv_eviction), .rank = rank};

static const void* get_role(const char* role_id) {
  return strcmp(role_id, LLV_ROLE_EVICTION) == 0 ? &eviction : NULL;
}

static const llv_plugin plugin = {sizeof(llv_plugin),
                                  0,
                                  "minimal",
                                  "1.0.0",
                                  "Evicts the first model",
                                  NULL,
                                  0,
                                  sizeof(llv_key),
                                  create,
                                  destroy,
                                  get_role,
                                  NULL,
                                  NULL,
                                  NULL};
static const llv_plugin* const plugins[] = {&plugin};

const llv_entry llv_plugin_entry_v1 = {
    LLV_ENTRY_MAGIC, sizeof(llv_entry), LLV_ABI_MAJOR, LLV_ABI_MINOR, 0, 0, 1, 0, plugins};
