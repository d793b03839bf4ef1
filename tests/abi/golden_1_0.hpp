// The headers as frozen in 1.0 in namespace golden, and today's ones outside of it. Include it before any
// other header of the SDK: the same macros are defined twice, and a redefinition that differs does not
// compile.
#pragma once

#include <stdint.h>

#define llv_plugin_entry_v1 llv_plugin_entry_v1_golden  // one C symbol cannot have two types
namespace golden {
#include "golden/1.0/llamavisor/abi.h"
}  // namespace golden
#undef llv_plugin_entry_v1
#undef LLV_ABI_MINOR
#undef LLAMAVISOR_ABI_H
#undef LLAMAVISOR_PLUGIN_H
#undef LLAMAVISOR_SNAPSHOT_H
#undef LLAMAVISOR_EVICTION_H
#undef LLAMAVISOR_CONTEXT_H
#undef LLAMAVISOR_NOTIFY_H

#include <llamavisor/abi.h>
