#define BAD_ID "short_struct"
#define BAD_PLUGIN_SIZE 40
#include "bad_plugin.h"
