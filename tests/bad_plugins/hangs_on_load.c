#include <time.h>
#define BAD_ID "hangs_on_load"
__attribute__((constructor)) static void at_once(void) {
  const struct timespec hour = {3600, 0};
  nanosleep(&hour, NULL);
}
#include "bad_plugin.h"
