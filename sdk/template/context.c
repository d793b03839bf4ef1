/* my_plugin: a context policy in C. Change choose(). This one gives what the client wishes, within the
 * model's own limit. */
#include <llamavisor/abi.h>
#include <stddef.h>
#include <string.h>

/* Asked once for each load; the number holds until the model is unloaded. */
static int32_t choose(void* self, const llv_snapshot* snapshot, const llv_context_model* model,
                      const llv_context_request* request, llv_context_choice* out, llv_text* error) {
  static const char reason[] = "as was wished";
  /* A field means something only when its bit is known. */
  uint32_t num_ctx = (request->known & LLV_CONTEXT_REQUEST_HAS_DEFAULT) ? request->default_num_ctx : 4096;
  (void)self, (void)snapshot, (void)error;
  if (request->known & LLV_CONTEXT_REQUEST_HAS_WISH) {
    num_ctx = request->wished_num_ctx;
  }
  if ((model->known & LLV_CONTEXT_MODEL_HAS_TRAINED_CONTEXT) && num_ctx > model->trained_context) {
    num_ctx = model->trained_context;
  }
  out->num_ctx = num_ctx;
  out->reason->length = sizeof reason - 1; /* the buffer has room for 512 bytes at least */
  memcpy(out->reason->data, reason, sizeof reason - 1);
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
  static const llv_context role = {sizeof role, 0, choose};
  return strcmp(role_id, LLV_ROLE_CONTEXT) == 0 ? &role : NULL;
}

static const llv_plugin plugin = {.struct_size = sizeof plugin,
                                  .id = "my_plugin",
                                  .version = "0.1.0",
                                  .summary = "Gives the context that is wished",
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
