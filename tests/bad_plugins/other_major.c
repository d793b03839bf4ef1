#define BAD_ID "other_major"
#define BAD_MAJOR 2
#include "bad_plugin.h"
