/* my_plugin: a notifier in C. Change on_event(). This one puts each event into the log. */
#include <llamavisor/abi.h>
#include <stddef.h>
#include <string.h>

/* On a thread of its own: it may wait, up to [policy] notify_deadline. */
static int32_t on_event(void* self, const llv_event* event, llv_text* error) {
  const llv_host* host = self;
  (void)error; /* for a text that goes with a negative answer, such as LLV_E_UNAVAILABLE */
  host->log(host->ctx, LLV_LOG_INFO, event->summary);
  return LLV_OK;
}

static int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** self) {
  (void)config, (void)error;
  *self = (void*)host; /* yours: it comes back as `self` in every call; the host table lives as long */
  return LLV_OK;
}

static void destroy(void* self) {
  (void)self;
}

static const void* get_role(const char* role_id) {
  static const llv_notify role = {sizeof role, 0, on_event};
  return strcmp(role_id, LLV_ROLE_NOTIFY) == 0 ? &role : NULL;
}

static const llv_plugin plugin = {.struct_size = sizeof plugin,
                                  .id = "my_plugin",
                                  .version = "0.1.0",
                                  .summary = "Writes each event to the log",
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
