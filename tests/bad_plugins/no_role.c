#define BAD_ID "no_role"
#define BAD_ROLE "llv.cooking/1"
#include "bad_plugin.h"
