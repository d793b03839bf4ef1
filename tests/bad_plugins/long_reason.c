/* Gives reasons of half a megabyte. */
#define BAD_ID "long_reason"
#define BAD_RANK_BODY                              \
  static char text[1 << 19];                       \
  const llv_str long_reason = {text, sizeof text}; \
  uint32_t i;                                      \
  memset(text, '\n', sizeof text);                 \
  for (i = 0; i < snapshot->model_count; ++i) {    \
    out->add(out->ctx, i, 1, long_reason);         \
  }                                                \
  return LLV_OK;
#include "bad_plugin.h"
