/* Claims to have saved far more than its buffer holds. */
#define BAD_ID "long_state"
#define BAD_SAVE save
#include <llamavisor/plugin.h>
static int32_t save(void* self, llv_text* out) {
  (void)self;
  out->data[0] = 's';
  out->length = UINT32_MAX;
  return LLV_OK;
}
#include "bad_plugin.h"
