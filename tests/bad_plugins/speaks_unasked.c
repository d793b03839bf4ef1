/* Sends a whole answer of its own, a ranking without any entry, before each true one. */
#include <sys/socket.h>
#define BAD_ID "speaks_unasked"
#define BAD_RANK_BODY                                                                                  \
  static uint32_t number = 2; /* create and the self-test were questions 1 and 2 */                    \
  const uint32_t answer[] = {20, ++number, 0, 0, 0, 0}; /* bytes, number, code, error, log, entries */ \
  return send(3, answer, sizeof answer, 0) == 0 ? LLV_E_FAILED : LLV_OK;
#include "bad_plugin.h"
