#define BAD_ID "newer_minor"
#define BAD_MIN_HOST_MINOR 200
#include "bad_plugin.h"
