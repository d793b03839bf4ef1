#define BAD_ID "aborts"
#define BAD_RANK_BODY abort();
#include "bad_plugin.h"
