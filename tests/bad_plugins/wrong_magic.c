#define BAD_ID "wrong_magic"
#define BAD_MAGIC 0x12345678
#include "bad_plugin.h"
