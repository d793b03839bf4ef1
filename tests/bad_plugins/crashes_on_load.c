/* Dies before anybody asked it anything. */
#include <stdlib.h>
#define BAD_ID "crashes_on_load"
__attribute__((constructor)) static void at_once(void) {
  abort();
}
#include "bad_plugin.h"
