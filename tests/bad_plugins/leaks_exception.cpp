// Lets an exception out through the C interface. The tables are those of C.
#include <stdexcept>

#define BAD_ID "leaks_exception"
#define BAD_RANK_BODY throw std::runtime_error("out through the C interface");
extern "C" {
#include "bad_plugin.h"
}
