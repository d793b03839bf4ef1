/* my_plugin: an eviction policy in C. Change rank(). This one lets the model go first that was loaded first.
 */
#include <llamavisor/abi.h>
#include <stddef.h>
#include <string.h>

/* Rank every model that may be evicted; the host takes as many as it needs, highest score first. */
static int32_t rank(void* self, const llv_snapshot* snapshot, uint64_t need_bytes, llv_victims* out,
                    llv_text* error) {
  static const char text[] = "loaded before the others";
  const llv_str reason = {text, sizeof text - 1};
  (void)self, (void)need_bytes, (void)error;
  for (uint32_t i = 0; i < snapshot->model_count; ++i) {
    /* By the stride: a newer host's models are larger. */
    const llv_model* model =
        (const llv_model*)(const void*)((const char*)snapshot->models + i * snapshot->model_stride);
    /* A field means something only when its bit is known. */
    const uint64_t age_ns = (model->known & LLV_MODEL_HAS_LOADED) ? snapshot->now_ns - model->loaded_ns : 0;
    out->add(out->ctx, i, (double)age_ns, reason); /* a busy or pinned one is refused */
  }
  return LLV_OK;
}

static int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** self) {
  (void)host, (void)config, (void)error;
  *self = NULL; /* yours: it comes back as `self` in every call */
  return LLV_OK;
}

static void destroy(void* self) {
  (void)self;
}

static const void* get_role(const char* role_id) {
  static const llv_eviction role = {.struct_size = sizeof role, .rank = rank};
  return strcmp(role_id, LLV_ROLE_EVICTION) == 0 ? &role : NULL;
}

static const llv_plugin plugin = {.struct_size = sizeof plugin,
                                  .id = "my_plugin",
                                  .version = "0.1.0",
                                  .summary = "Evicts the model that was loaded first",
                                  .create = create,
                                  .destroy = destroy,
                                  .get_role = get_role};
static const llv_plugin* const plugins[] = {&plugin};

const llv_entry llv_plugin_entry_v1 = {.magic = LLV_ENTRY_MAGIC,
                                       .struct_size = sizeof(llv_entry),
                                       .abi_major = LLV_ABI_MAJOR,
                                       .abi_minor = LLV_ABI_MINOR,
                                       .plugin_count = 1,
                                       .plugins = plugins};
