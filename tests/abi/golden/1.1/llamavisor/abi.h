/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole C ABI in one include.
 */
#ifndef LLAMAVISOR_ABI_H
#define LLAMAVISOR_ABI_H

#include "context.h"  /* IWYU pragma: export */
#include "eviction.h" /* IWYU pragma: export */
#include "notify.h"   /* IWYU pragma: export */
#include "plugin.h"   /* IWYU pragma: export */
#include "snapshot.h" /* IWYU pragma: export */

#endif
