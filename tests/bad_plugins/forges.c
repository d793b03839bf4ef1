/* Writes to the socket of its helper process as if it were that process: a frame of no sensible length. */
#include <sys/socket.h>
#define BAD_ID "forges"
#define BAD_RANK_BODY               \
  const uint32_t huge = UINT32_MAX; \
  return send(3, &huge, sizeof huge, 0) == 0 ? LLV_E_FAILED : LLV_OK;
#include "bad_plugin.h"
