#include <llamavisor/plugin.h>
#include <string.h>
#define BAD_ID "create_fails"
#define BAD_CREATE create_not
static int32_t create_not(const llv_host* host, const llv_config* config, llv_text* error, void** self) {
  static const char why[] = "the stars are not right";
  (void)host;
  (void)config;
  (void)self;
  memcpy(error->data, why, sizeof why - 1);
  error->length = sizeof why - 1;
  return LLV_E_UNAVAILABLE;
}
#include "bad_plugin.h"
