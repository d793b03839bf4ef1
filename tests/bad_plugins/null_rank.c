#define BAD_ID "null_rank"
#define BAD_RANK NULL
#include "bad_plugin.h"
