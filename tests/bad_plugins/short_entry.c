#define BAD_ID "short_entry"
#define BAD_ENTRY_SIZE 16
#include "bad_plugin.h"
