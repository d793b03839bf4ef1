#include "domain/event.h"

namespace llamavisor {

const char* to_string(EventKind kind) {
  switch (kind) {
    case EventKind::server_ready:
      return "server_ready";
    case EventKind::server_down:
      return "server_down";
    case EventKind::model_loaded:
      return "model_loaded";
    case EventKind::eviction:
      return "eviction";
    case EventKind::unloaded:
      return "unloaded";
    case EventKind::eviction_failed:
      return "eviction_failed";
    case EventKind::refusal:
      return "refusal";
    case EventKind::prompt_overflow:
      return "prompt_overflow";
    case EventKind::resize:
      return "resize";
    case EventKind::limit_changed:
      return "limit_changed";
    case EventKind::policy_changed:
      return "policy_changed";
    case EventKind::plugin_failed:
      return "plugin_failed";
    case EventKind::config_reloaded:
      return "config_reloaded";
    case EventKind::config_rejected:
      return "config_rejected";
    case EventKind::degraded:
      return "degraded";
  }
  return "unknown";
}

}  // namespace llamavisor
