#define BAD_ID "nan_score"
#define BAD_RANK_BODY                               \
  out->add(out->ctx, 0, __builtin_nan(""), reason); \
  return LLV_OK;
#include "bad_plugin.h"
