/* Wants to evict the models that are pinned or busy, and no other. */
#define BAD_ID "spared_models"
#define BAD_RANK_BODY                                                                                   \
  uint32_t i;                                                                                           \
  for (i = 0; i < snapshot->model_count; ++i) {                                                         \
    if ((snapshot->models[i].flags & LLV_MODEL_IS_PINNED) != 0 || snapshot->models[i].in_flight != 0) { \
      out->add(out->ctx, i, 1, reason);                                                                 \
    }                                                                                                   \
  }                                                                                                     \
  return LLV_OK;
#include "bad_plugin.h"
