/* A plugin written for ABI 1.0 that uses all of it. Its source is frozen: it is built with the headers of 1.0
 * and with today's, and both libraries have to work in today's host (tests/unit/plugin_host/abi_test.cpp). */
#include <llamavisor/abi.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const llv_host* host;
  int64_t grace_ns;
  uint32_t events; /* that it was told of, and that its predecessors were */
} frozen;

static int32_t fail(llv_text* error, int32_t code, const char* text) {
  size_t size = strlen(text);
  error->length = (uint32_t)(size < error->capacity ? size : error->capacity);
  memcpy(error->data, text, error->length);
  return code;
}

static int same(llv_str text, const char* wanted) {
  return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0;
}

/* The values that the test sets, each through the getter of its type. */
static int32_t read_config(frozen* self, const llv_config* config, llv_text* error) {
  int64_t whole = 0;
  double fraction = 0;
  llv_str text = {NULL, 0};
  if (config->get_str(config->ctx, "mode", &text) == LLV_OK && same(text, "restart")) {
    return fail(error, LLV_E_NEEDS_RESTART, "not on the fly");
  }
  if (text.size > 0 && !same(text, "plain")) {
    return fail(error, LLV_E_INVALID, "mode: plain or restart");
  }
  if (config->get_f64(config->ctx, "ratio", &fraction) != LLV_OK || fraction != 0.25 ||
      config->get_i64(config->ctx, "bytes", &whole) != LLV_OK || whole != 1048576 ||
      config->get_i64(config->ctx, "flag", &whole) != LLV_OK || whole != 1 ||
      config->get_item(config->ctx, "words", 1, &text) != LLV_OK || !same(text, "two") ||
      config->get_item(config->ctx, "words", 2, &text) != LLV_E_NOT_FOUND ||
      config->get_i64(config->ctx, "words", &whole) != LLV_E_TYPE ||
      config->get_str(config->ctx, "unset", &text) != LLV_E_NOT_FOUND) {
    return fail(error, LLV_E_INVALID, "a value is not the one in the configuration");
  }
  return config->get_i64(config->ctx, "grace", &self->grace_ns);
}

static int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** out) {
  static const char hello[] = "hello";
  const llv_str line = {hello, sizeof hello - 1};
  frozen* self = calloc(1, sizeof *self);
  int32_t code;
  if (self == NULL) {
    return fail(error, LLV_E_FAILED, "no memory");
  }
  self->host = host;
  code = host->get_extension(host->ctx, "llv.unheard_of/1") == NULL
             ? read_config(self, config, error)
             : fail(error, LLV_E_FAILED, "the host has an extension that there is not");
  if (code == LLV_E_NEEDS_RESTART) {
    code = config->get_i64(config->ctx, "grace", &self->grace_ns); /* this is the new instance */
  }
  if (code < 0) {
    free(self);
    return code;
  }
  host->log(host->ctx, LLV_LOG_INFO, line);
  *out = self;
  return LLV_OK;
}

static void destroy(void* self) {
  free(self);
}

static int32_t reconfigure(void* self, const llv_config* config, llv_text* error) {
  return read_config(self, config, error);
}

/* Largest first; the reason says all that is known of a model and of the machine. */
static int32_t rank(void* ptr, const llv_snapshot* snapshot, uint64_t need_bytes, llv_victims* out,
                    llv_text* error) {
  const frozen* self = ptr;
  uint32_t i;
  for (i = 0; i < snapshot->model_count; ++i) {
    const llv_model* model =
        (const llv_model*)(const void*)((const char*)snapshot->models + i * snapshot->model_stride);
    char text[256];
    llv_str reason = {text, 0};
    if ((model->known & LLV_MODEL_HAS_SIZE) == 0 || (model->known & LLV_MODEL_HAS_LAST_USED) == 0) {
      return fail(error, LLV_E_INVALID, "a model without size or last use");
    }
    reason.size = (uint64_t)snprintf(
        text, sizeof text,
        "%.*s: size %llu, idle %llu s, known %llx, limit %llu, need %llu, grace %lld s, events %u",
        (int)model->name.size, model->name.data, (unsigned long long)model->size_bytes,
        (unsigned long long)((self->host->now_ns(self->host->ctx) - model->last_used_ns) / 1000000000u),
        (unsigned long long)(model->known & 0x3ff), (unsigned long long)snapshot->limit_bytes,
        (unsigned long long)need_bytes, (long long)(self->grace_ns / 1000000000), self->events);
    out->add(out->ctx, i, (double)model->size_bytes, reason);
  }
  if (out->add(out->ctx, snapshot->model_count, 1.0,
               snapshot->model_count ? (llv_str){"x", 1} : (llv_str){NULL, 0}) != LLV_E_REFUSED) {
    return fail(error, LLV_E_FAILED, "the host took a model that is not there");
  }
  return LLV_OK;
}

static int32_t choose(void* ptr, const llv_snapshot* snapshot, const llv_context_model* model,
                      const llv_context_request* request, llv_context_choice* out, llv_text* error) {
  int length;
  (void)ptr;
  (void)snapshot;
  (void)error;
  out->num_ctx = (request->known & LLV_CONTEXT_REQUEST_HAS_WISH) != 0      ? request->wished_num_ctx
                 : (request->known & LLV_CONTEXT_REQUEST_HAS_DEFAULT) != 0 ? request->default_num_ctx
                                                                           : 2048;
  if ((model->known & LLV_CONTEXT_MODEL_HAS_TRAINED_CONTEXT) != 0 && out->num_ctx > model->trained_context) {
    out->num_ctx = model->trained_context;
  }
  length = snprintf(out->reason->data, out->reason->capacity,
                    "%.*s: known %llx and %llx, weights %llu, kv %llu, room %llu", (int)model->name.size,
                    model->name.data, (unsigned long long)(model->known & 0xf),
                    (unsigned long long)(request->known & 7), (unsigned long long)model->weights_bytes,
                    (unsigned long long)model->kv_bytes_per_token, (unsigned long long)request->room_bytes);
  out->reason->length = (uint32_t)length;
  return LLV_OK;
}

/* Answers with what it was told, as an error: the host shows that text. */
static int32_t on_event(void* ptr, const llv_event* event, llv_text* error) {
  frozen* self = ptr;
  char text[256];
  ++self->events;
  snprintf(text, sizeof text, "%.*s: %.*s (%.*s), freed %llu, known %llx, count %u, event %u",
           (int)event->kind.size, event->kind.data, (int)event->body.size, event->body.data,
           (int)event->model.size, event->model.data, (unsigned long long)event->freed_bytes,
           (unsigned long long)(event->known & 7), event->count, self->events);
  return fail(error, LLV_E_UNAVAILABLE, text);
}

static int32_t save(void* ptr, llv_text* out) {
  const frozen* self = ptr;
  const int length =
      snprintf(out->data, out->capacity, "events %u\n", self->events + 1); /* one more a generation */
  out->length = (uint32_t)length;
  return out->length < out->capacity ? LLV_OK : LLV_E_TOO_SMALL;
}

static int32_t restore(void* ptr, llv_str saved, llv_text* error) {
  frozen* self = ptr;
  char text[32] = {0};
  if (saved.size >= sizeof text) {
    return fail(error, LLV_E_INVALID, "too much was saved");
  }
  memcpy(text, saved.data, saved.size);
  return sscanf(text, "events %u\n", &self->events) == 1 ? LLV_OK
                                                         : fail(error, LLV_E_INVALID, "not what was saved");
}

static const llv_eviction eviction = {sizeof(llv_eviction), 0, rank};
static const llv_context context = {sizeof(llv_context), 0, choose};
static const llv_notify notify = {sizeof(llv_notify), 0, on_event};

static const void* get_role(const char* role_id) {
  return strcmp(role_id, LLV_ROLE_EVICTION) == 0  ? (const void*)&eviction
         : strcmp(role_id, LLV_ROLE_CONTEXT) == 0 ? (const void*)&context
         : strcmp(role_id, LLV_ROLE_NOTIFY) == 0  ? (const void*)&notify
                                                  : NULL;
}

static const llv_key keys[] = {
    {"grace", "30s", "a time", LLV_KEY_DURATION, 0, 0, 3.6e12},
    {"mode", "plain", "plain or restart", LLV_KEY_STR, 0, 0, 0},
    {"ratio", "0.25", "a fraction", LLV_KEY_F64, 0, 0, 1},
    {"bytes", "1MB", "a size", LLV_KEY_BYTES, 0, 0, 0},
    {"flag", "true", "a switch", LLV_KEY_BOOL, 0, 0, 0},
    {"words", "[\"one\", \"two\"]", "some words", LLV_KEY_STR_LIST, 0, 0, 0},
    {"unset", NULL, "without a default", LLV_KEY_STR, 0, 0, 0},
};
static const llv_plugin plugin = {
    sizeof(llv_plugin), 0,      FROZEN_ID, "1.0.0",  "Uses all of ABI 1.0", keys, sizeof keys / sizeof *keys,
    sizeof(llv_key),    create, destroy,   get_role, reconfigure,           save, restore};
static const llv_plugin* const plugins[] = {&plugin};

const llv_entry llv_plugin_entry_v1 = {
    LLV_ENTRY_MAGIC, sizeof(llv_entry), LLV_ABI_MAJOR, LLV_ABI_MINOR, 0, 0, 1, 0, plugins};
