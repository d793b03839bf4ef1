/* Writes to an address that is not there. */
#define BAD_ID "crashes"
#define BAD_RANK_BODY    \
  *(volatile int*)8 = 1; \
  return LLV_OK;
#include "bad_plugin.h"
