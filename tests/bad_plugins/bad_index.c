#define BAD_ID "bad_index"
#define BAD_RANK_BODY                         \
  out->add(out->ctx, 4000000000u, 1, reason); \
  return LLV_OK;
#include "bad_plugin.h"
