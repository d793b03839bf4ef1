/* Never returns from a call in earnest. */
#include <time.h>
#define BAD_ID "hangs"
#define BAD_RANK_BODY                       \
  for (;;) {                                \
    const struct timespec hour = {3600, 0}; \
    nanosleep(&hour, NULL);                 \
  }
#include "bad_plugin.h"
