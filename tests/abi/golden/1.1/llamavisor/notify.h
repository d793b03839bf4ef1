/* SPDX-License-Identifier: Apache-2.0
 *
 * The notify role: tells people about events. The host has filtered them by the user's configuration and
 * has made one event of many that came at once.
 */
#ifndef LLAMAVISOR_NOTIFY_H
#define LLAMAVISOR_NOTIFY_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LLV_ROLE_NOTIFY "llv.notify/1"

#define LLV_URGENCY_LOW 0
#define LLV_URGENCY_NORMAL 1
#define LLV_URGENCY_CRITICAL 2

/* llv_event.known */
#define LLV_EVENT_HAS_MODEL (UINT64_C(1) << 0)
#define LLV_EVENT_HAS_FREED (UINT64_C(1) << 1)
#define LLV_EVENT_HAS_AVAILABLE (UINT64_C(1) << 2)

/* One event. Borrowed for the call. */
typedef struct llv_event {
  uint32_t struct_size;
  int32_t urgency;     /* LLV_URGENCY_* */
  uint64_t known;      /* LLV_EVENT_HAS_* */
  uint64_t id;         /* of the event, or of the last one when it stands for several; grows */
  uint64_t at_unix_ms; /* wall clock, milliseconds since 1970 */
  uint32_t count;      /* how many events it stands for; at least 1 */
  uint32_t reserved;
  llv_str kind;         /* "eviction", "eviction_failed", "refusal", "server_down", "plugin_failed", ... More
                           kinds may come: treat one that you do not know like any other. */
  llv_str summary;      /* one short line without markup: "Evicted llama3.2" */
  llv_str body;         /* sentences without markup: what, why, and the memory now free */
  llv_str model;        /* the model it is about; not known when it is about none or several */
  llv_str json;         /* the whole event as one JSON object in one line */
  uint64_t freed_bytes; /* what the eviction gave back, as measured */
  uint64_t available_bytes; /* memory available after it */
} llv_event;

typedef struct llv_notify {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [instance] Delivers. Called on a worker of its own, and so may block, up to the notify deadline
   * (seconds). LLV_E_UNAVAILABLE or LLV_E_TIMEOUT with a text when there is nobody to deliver to: the
   * host shows that in `status`, drops the event and calls again with the next one. It may start child
   * processes and must reap them; the host never waits for a child that is not its own. Never NULL. */
  int32_t (*on_event)(void* self, const llv_event* event, llv_text* error);
} llv_notify;

#ifdef __cplusplus
}
#endif

#endif
