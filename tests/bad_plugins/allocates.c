/* Takes memory without end, and believes that it gets it. */
#define BAD_ID "allocates"
#define BAD_RANK_BODY                                              \
  for (;;) {                                                       \
    volatile char* more = (volatile char*)malloc((size_t)1 << 26); \
    more[0] = 1;                                                   \
  }
#include "bad_plugin.h"
