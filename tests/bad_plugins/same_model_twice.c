#define BAD_ID "same_model_twice"
#define BAD_RANK_BODY                                       \
  rank_all(snapshot, out);                                  \
  out->add(out->ctx, snapshot->model_count - 1, 9, reason); \
  return LLV_OK;
#include "bad_plugin.h"
