/* SPDX-License-Identifier: Apache-2.0
 *
 * The eviction role: says in which order models may go when memory is short. The host takes victims from
 * the front until enough is free and no more; it carries out, confirms and measures each eviction.
 */
#ifndef LLAMAVISOR_EVICTION_H
#define LLAMAVISOR_EVICTION_H

#include "snapshot.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LLV_ROLE_EVICTION "llv.eviction/1"

/* The host's sink for a ranking; valid during rank(). */
typedef struct llv_victims {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  /* [instance] Ranks the model at `model_index` of the snapshot. The higher its score, the sooner it
   * goes; equal scores go in the order of the calls. `reason` is copied: a fragment of a sentence that
   * people read after "Evicted X: ", such as "least recently used: idle for 12 min".
   * LLV_E_REFUSED, with a line in the log: index out of range, ranked twice, score not finite, or the
   * model is pinned, busy or settling. The plugin may ignore the answer and go on. */
  int32_t (*add)(void* ctx, uint32_t model_index, double score, llv_str reason);
} llv_victims;

typedef struct llv_eviction {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [instance] Ranks every model that may be evicted, not only the first ones: what is left out, the
   * host appends in its own order when the ranked ones do not free enough. `need_bytes` must come free;
   * 0 asks for the order alone. Must return within the policy deadline (tens of ms): no blocking I/O.
   * An error, or a deadline missed, lets the host's built-in order decide. Never NULL. */
  int32_t (*rank)(void* self, const llv_snapshot* snapshot, uint64_t need_bytes, llv_victims* out,
                  llv_text* error);
  /* [instance] Since 1.1; NULL when the policy only answers when memory is short. Adds the models that
   * should go now whatever the memory: asked every few seconds while the policy is in charge, never while
   * it is only a shadow. The score orders them; pins, leases and groups hold as in rank(). The deadline is
   * that of rank(). */
  int32_t (*due)(void* self, const llv_snapshot* snapshot, llv_victims* out, llv_text* error);
} llv_eviction;

#ifdef __cplusplus
}
#endif

#endif
