/* SPDX-License-Identifier: Apache-2.0
 *
 * What policies see: the resident models and the memory, frozen at one moment. Written by the host,
 * borrowed for the call. plugin.h says what struct_size, stride and `known` mean.
 */
#ifndef LLAMAVISOR_SNAPSHOT_H
#define LLAMAVISOR_SNAPSHOT_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* llv_model.flags; they mean something when LLV_MODEL_HAS_FLAGS is known. */
#define LLV_MODEL_IS_PINNED UINT32_C(1)   /* the owner keeps it; never evicted */
#define LLV_MODEL_IS_SETTLING UINT32_C(2) /* being loaded or unloaded; cannot be evicted now */

/* llv_model.known */
#define LLV_MODEL_HAS_FLAGS (UINT64_C(1) << 0)
#define LLV_MODEL_HAS_SIZE (UINT64_C(1) << 1)
#define LLV_MODEL_HAS_RSS (UINT64_C(1) << 2)
#define LLV_MODEL_HAS_VRAM (UINT64_C(1) << 3)
#define LLV_MODEL_HAS_LAST_USED (UINT64_C(1) << 4)
#define LLV_MODEL_HAS_LOADED (UINT64_C(1) << 5)
#define LLV_MODEL_HAS_IN_FLIGHT (UINT64_C(1) << 6)
#define LLV_MODEL_HAS_CONTEXT_LENGTH (UINT64_C(1) << 7)
#define LLV_MODEL_HAS_USE_COUNT (UINT64_C(1) << 8)
#define LLV_MODEL_HAS_LOAD_DURATION (UINT64_C(1) << 9)
#define LLV_MODEL_HAS_TOTAL_USES (UINT64_C(1) << 10)    /* since 1.1 */
#define LLV_MODEL_HAS_RELOAD (UINT64_C(1) << 11)        /* since 1.1 */
#define LLV_MODEL_HAS_PRIORITY (UINT64_C(1) << 12)      /* since 1.1 */
#define LLV_MODEL_HAS_QUICK_RETURNS (UINT64_C(1) << 13) /* since 1.1 */

/* One resident model. */
typedef struct llv_model {
  uint32_t struct_size;
  uint32_t flags; /* LLV_MODEL_IS_* */
  uint64_t known; /* LLV_MODEL_HAS_* */
  llv_str name;   /* always there: "llama3.2:latest" */
  /* What the budget counts for it, and so what its eviction gives back: the measured footprint, or the
   * forecast where that is larger. */
  uint64_t size_bytes;
  uint64_t rss_bytes;        /* measured footprint in main memory: anonymous, shared and swapped pages */
  uint64_t vram_bytes;       /* memory on GPUs */
  uint64_t last_used_ns;     /* end of its last request, or the start of one that still runs */
  uint64_t loaded_ns;        /* when this residency began */
  uint32_t in_flight;        /* requests that it serves now; > 0 = busy, never evicted */
  uint32_t context_length;   /* tokens it was loaded with */
  uint64_t use_count;        /* requests since it was loaded */
  uint64_t load_duration_ns; /* how long its last load took, as measured */
  /* Since 1.1. */
  uint64_t total_uses; /* requests since the host was started, over all residencies */
  uint64_t reload_ns;  /* what loading it again takes: mean of its measured loads, the last ones most */
  /* The owner's rule. The host takes models of a lower priority first whatever the policy says, and among
   * equal ones those with fewer quick returns: a policy need not look at either. */
  int32_t priority;
  uint32_t quick_returns; /* how often it was loaded again soon after an eviction, not long ago */
} llv_model;

/* llv_snapshot.known */
#define LLV_SNAPSHOT_HAS_LIMIT (UINT64_C(1) << 0)
#define LLV_SNAPSHOT_HAS_USED (UINT64_C(1) << 1)
#define LLV_SNAPSHOT_HAS_AVAILABLE (UINT64_C(1) << 2)
#define LLV_SNAPSHOT_HAS_PSI_SOME (UINT64_C(1) << 3)
#define LLV_SNAPSHOT_HAS_PSI_FULL (UINT64_C(1) << 4)
#define LLV_SNAPSHOT_HAS_LOCAL_MINUTE (UINT64_C(1) << 5) /* since 1.1 */

typedef struct llv_snapshot {
  uint32_t struct_size;
  uint32_t model_count;
  const llv_model* models; /* element i is at (const char *)models + i * model_stride */
  uint64_t model_stride;
  uint64_t known;           /* LLV_SNAPSHOT_HAS_* */
  uint64_t now_ns;          /* always there: when this was taken */
  uint64_t limit_bytes;     /* the budget of all models together */
  uint64_t used_bytes;      /* sum of size_bytes */
  uint64_t available_bytes; /* of the machine, as the kernel estimates it (MemAvailable) */
  double psi_some_avg10;    /* percent of the last 10 s in which something waited for memory */
  double psi_full_avg10;    /* percent in which everything did */
  /* Since 1.1. */
  uint32_t local_minute; /* of the day, 0 to 1439, on the wall clock of the host's place */
  uint32_t reserved;     /* 0 */
} llv_snapshot;

#ifdef __cplusplus
}
#endif

#endif
