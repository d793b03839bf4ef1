/* Sends a whole answer of its own beside each true one: a ranking without any entry. */
#include <sys/socket.h>
#define BAD_ID "speaks_unasked"
#define BAD_RANK_BODY                                                                       \
  static const uint32_t answer[] = {16, 0, 0, 0, 0}; /* bytes, code, error, log, entries */ \
  return send(3, answer, sizeof answer, 0) == 0 ? LLV_E_FAILED : LLV_OK;
#include "bad_plugin.h"
