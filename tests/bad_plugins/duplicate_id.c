#define BAD_ID "duplicate_id"
#define BAD_PLUGINS &plugin, &plugin
#define BAD_PLUGIN_COUNT 2
#include "bad_plugin.h"
