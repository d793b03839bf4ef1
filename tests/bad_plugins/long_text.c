/* Claims to have written far more than its buffer holds. */
#define BAD_ID "long_text"
#define BAD_RANK_BODY                        \
  memset(error->data, 'x', error->capacity); \
  error->data[0] = '\xff';                   \
  error->length = UINT32_MAX;                \
  return LLV_E_FAILED;
#include "bad_plugin.h"
