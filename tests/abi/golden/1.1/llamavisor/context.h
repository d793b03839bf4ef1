/* SPDX-License-Identifier: Apache-2.0
 *
 * The context role: picks num_ctx, the tokens of context that a model is loaded with. It is asked once
 * for each load; the number then holds for the whole residency.
 */
#ifndef LLAMAVISOR_CONTEXT_H
#define LLAMAVISOR_CONTEXT_H

#include "snapshot.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LLV_ROLE_CONTEXT "llv.context/1"

/* llv_context_model.known */
#define LLV_CONTEXT_MODEL_HAS_WEIGHTS (UINT64_C(1) << 0)
#define LLV_CONTEXT_MODEL_HAS_KV_PER_TOKEN (UINT64_C(1) << 1)
#define LLV_CONTEXT_MODEL_HAS_TRAINED_CONTEXT (UINT64_C(1) << 2)
#define LLV_CONTEXT_MODEL_HAS_PARAMETER_NUM_CTX (UINT64_C(1) << 3)

/* The model that is about to be loaded. Borrowed for the call. */
typedef struct llv_context_model {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t known;         /* LLV_CONTEXT_MODEL_HAS_* */
  llv_str name;           /* always there */
  uint64_t weights_bytes; /* files of weights, projector and adapters */
  /* Memory for one token of num_ctx with the cache type in use, all parallel slots together. */
  uint64_t kv_bytes_per_token;
  uint32_t trained_context;   /* tokens it was trained for; a larger num_ctx is refused by the host */
  uint32_t parameter_num_ctx; /* PARAMETER num_ctx of its Modelfile */
} llv_context_model;

/* llv_context_request.known */
#define LLV_CONTEXT_REQUEST_HAS_WISH (UINT64_C(1) << 0)
#define LLV_CONTEXT_REQUEST_HAS_DEFAULT (UINT64_C(1) << 1)
#define LLV_CONTEXT_REQUEST_HAS_ROOM (UINT64_C(1) << 2)

/* The request that causes the load. Borrowed for the call. */
typedef struct llv_context_request {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t known;           /* LLV_CONTEXT_REQUEST_HAS_* */
  uint32_t wished_num_ctx;  /* options.num_ctx of the client */
  uint32_t default_num_ctx; /* what the server would take on this route without a wish */
  /* What the model may hold at most: the budget less all that cannot be evicted. */
  uint64_t room_bytes;
} llv_context_request;

/* The answer; the host sets struct_size and `reason`. */
typedef struct llv_context_choice {
  uint32_t struct_size;
  uint32_t num_ctx; /* out: at least 1, and at most trained_context where that is known */
  llv_text* reason; /* out: for people, "tier of 8 GB available: 8192" */
} llv_context_choice;

typedef struct llv_context {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [instance] Chooses. Must return within the policy deadline (tens of ms): no blocking I/O. An error,
   * a deadline missed or a number out of range lets the host's built-in rule decide. Never NULL. */
  int32_t (*choose)(void* self, const llv_snapshot* snapshot, const llv_context_model* model,
                    const llv_context_request* request, llv_context_choice* out, llv_text* error);
} llv_context;

#ifdef __cplusplus
}
#endif

#endif
