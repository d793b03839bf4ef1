#include <llamavisor/plugin.h>
#define BAD_ID "bad_key"
#define BAD_KEYS keys
#define BAD_KEY_COUNT 1
static const llv_key keys[] = {
    {"grace", "soon", "A duration whose default is none", LLV_KEY_DURATION, 0, 0, 0}};
#include "bad_plugin.h"
