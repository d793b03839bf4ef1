/* Answers rightly, but after a second and a half. */
#include <time.h>
#define BAD_ID "overruns"
#define BAD_RANK_BODY                            \
  const struct timespec while_ = {1, 500000000}; \
  nanosleep(&while_, NULL);                      \
  rank_all(snapshot, out);                       \
  return LLV_OK;
#include "bad_plugin.h"
