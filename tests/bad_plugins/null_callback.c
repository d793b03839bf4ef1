#define BAD_ID "null_callback"
#define BAD_CREATE NULL
#include "bad_plugin.h"
