/* round_robin: a plain C eviction policy with state. Each model has its turn: the one that this policy gave
 * up last goes last, so that no model is evicted twice before every other one was. A swap keeps the turns,
 * because the state is saved and restored. Its key `ties` is "old" or "large": which of two without a turn
 * goes first. */
#include <llamavisor/abi.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TURNS 32
#define MAX_NAME 200

typedef struct {
  int large;
  uint32_t count; /* of names, the latest last */
  char names[MAX_TURNS][MAX_NAME];
} round_robin;

static int32_t fail(llv_text* error, int32_t code, const char* text) {
  const size_t size = strlen(text) < error->capacity ? strlen(text) : error->capacity;
  memcpy(error->data, text, size);
  error->length = (uint32_t)size;
  return code;
}

/* 0: it had no turn yet; else the larger, the later. */
static uint32_t turn_of(const round_robin* self, llv_str name) {
  uint32_t i;
  for (i = self->count; i > 0; --i) {
    const char* known = self->names[i - 1];
    if (strlen(known) == name.size && memcmp(known, name.data, name.size) == 0) {
      break;
    }
  }
  return i;
}

static void forget_first(round_robin* self) {
  memmove(self->names[0], self->names[1], sizeof self->names - sizeof self->names[0]);
  --self->count;
}

/* Names that are too long for the list simply have no turn. */
static void note_turn(round_robin* self, llv_str name) {
  if (name.size == 0 || name.size >= MAX_NAME) {
    return;
  }
  if (self->count == MAX_TURNS) {
    forget_first(self);
  }
  memcpy(self->names[self->count], name.data, name.size);
  self->names[self->count++][name.size] = '\0';
}

static int evictable(const llv_model* model) {
  const int busy = (model->known & LLV_MODEL_HAS_IN_FLIGHT) && model->in_flight > 0;
  const int held = (model->known & LLV_MODEL_HAS_FLAGS) && model->flags != 0;
  return !busy && !held;
}

static double score_of(const round_robin* self, const llv_snapshot* snapshot, const llv_model* model) {
  const double age =
      (model->known & LLV_MODEL_HAS_LOADED) ? (double)(snapshot->now_ns - model->loaded_ns) : 0;
  const double size = (model->known & LLV_MODEL_HAS_SIZE) ? (double)model->size_bytes : 0;
  /* Below 1, so that turns decide first. */
  const double tie = self->large ? size / (1 + size) : age / (1e9 + age);
  return tie - (double)turn_of(self, model->name);
}

static int32_t rank(void* ptr, const llv_snapshot* snapshot, uint64_t need_bytes, llv_victims* out,
                    llv_text* error) {
  static const char text[] = "its turn to go";
  const llv_str reason = {text, sizeof text - 1};
  round_robin* self = ptr;
  const llv_model* first = NULL;
  double highest = 0;
  uint32_t i;
  (void)error;
  for (i = 0; i < snapshot->model_count; ++i) {
    const llv_model* model =
        (const llv_model*)(const void*)((const char*)snapshot->models + i * snapshot->model_stride);
    const double score = score_of(self, snapshot, model);
    if (!evictable(model) || out->add(out->ctx, i, score, reason) < 0) {
      continue;
    }
    if (first == NULL || score > highest) {
      first = model;
      highest = score;
    }
  }
  if (first != NULL && need_bytes > 0) {
    note_turn(self, first->name);
  }
  return LLV_OK;
}

static int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** out) {
  round_robin* self = calloc(1, sizeof *self);
  llv_str ties = {NULL, 0};
  (void)host;
  if (self == NULL) {
    return fail(error, LLV_E_FAILED, "no memory");
  }
  if (config->get_str(config->ctx, "ties", &ties) != LLV_OK ||
      (!(ties.size == 3 && memcmp(ties.data, "old", 3) == 0) &&
       !(ties.size == 5 && memcmp(ties.data, "large", 5) == 0))) {
    free(self);
    return fail(error, LLV_E_INVALID, "ties: old or large");
  }
  self->large = ties.size == 5;
  *out = self;
  return LLV_OK;
}

static void destroy(void* self) {
  free(self);
}

/* One name a line. */
static int32_t save(void* ptr, llv_text* out) {
  const round_robin* self = ptr;
  uint32_t size = 0;
  uint32_t i;
  for (i = 0; i < self->count; ++i) {
    const uint32_t length = (uint32_t)strlen(self->names[i]);
    if (size + length + 1 > out->capacity) {
      return LLV_E_TOO_SMALL;
    }
    memcpy(out->data + size, self->names[i], length);
    out->data[size + length] = '\n';
    size += length + 1;
  }
  out->length = size;
  return LLV_OK;
}

static int32_t restore(void* ptr, llv_str saved, llv_text* error) {
  const char* at = saved.data;
  const char* const end = saved.data + saved.size;
  (void)error;
  while (at != end) {
    const char* line_end = memchr(at, '\n', (size_t)(end - at));
    const llv_str name = {at, (uint64_t)((line_end ? line_end : end) - at)};
    note_turn(ptr, name);
    at = line_end ? line_end + 1 : end;
  }
  return LLV_OK;
}

static const void* get_role(const char* role_id) {
  static const llv_eviction role = {.struct_size = sizeof role, .rank = rank};
  return strcmp(role_id, LLV_ROLE_EVICTION) == 0 ? &role : NULL;
}

static const llv_key keys[] = {
    {"ties", "old", "which of two models without a turn goes first: old or large", LLV_KEY_STR, 0, 0, 0}};
static const llv_plugin plugin = {.struct_size = sizeof plugin,
                                  .id = "round_robin",
                                  .version = "1.0.0",
                                  .summary = "Evicts each model in its turn (an example in C)",
                                  .keys = keys,
                                  .key_count = sizeof keys / sizeof *keys,
                                  .key_stride = sizeof(llv_key),
                                  .create = create,
                                  .destroy = destroy,
                                  .get_role = get_role,
                                  .save = save,
                                  .restore = restore};
static const llv_plugin* const plugins[] = {&plugin};

const llv_entry llv_plugin_entry_v1 = {.magic = LLV_ENTRY_MAGIC,
                                       .struct_size = sizeof(llv_entry),
                                       .abi_major = LLV_ABI_MAJOR,
                                       .abi_minor = LLV_ABI_MINOR,
                                       .plugin_count = 1,
                                       .plugins = plugins};
