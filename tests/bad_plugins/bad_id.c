#define BAD_ID "../etc/passwd"
#include "bad_plugin.h"
