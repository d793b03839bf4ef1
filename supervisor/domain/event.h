// Something that happened and that a person may want to know. Each has a whole sentence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace llamavisor {

enum class EventKind {
  server_ready,
  server_down,
  model_loaded,
  eviction,         // a policy chose it
  unloaded,         // keep_alive ran out, or somebody else unloaded it
  eviction_failed,  // the deadline passed and the runner lives
  refusal,
  prompt_overflow,  // a prompt was longer than the context of its model
  resize,           // a residency was closed to load it again with another num_ctx
  limit_changed,
  policy_changed,
  plugin_failed,
  config_reloaded,
  config_rejected,
  degraded  // something is missing and llamavisor goes on without it
};

const char* to_string(EventKind kind);  // "eviction", the name used in JSON

struct Event {
  std::uint64_t id = 0;  // set by the event log; grows by one
  EventKind kind = EventKind::degraded;
  std::uint32_t count = 1;  // how many events it stands for, when several are told as one
  WallTime at{};
  std::string summary{};   // "Evicted c256"
  std::string sentence{};  // what, why with numbers, since when unused, what it gave back
  std::string model{};     // canonical name; empty when none is meant
  std::optional<std::uint64_t> freed_bytes{};
  std::optional<std::uint64_t> available_bytes{};  // after it
};

}  // namespace llamavisor
