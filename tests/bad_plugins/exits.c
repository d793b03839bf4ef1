/* Ends the process that it runs in as if it were its own. */
#define BAD_ID "exits"
#define BAD_RANK_BODY _Exit(3);
#include "bad_plugin.h"
