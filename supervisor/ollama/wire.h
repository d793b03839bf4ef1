// JSON of Ollama's API <-> plain values.
// Thread: any. Pure functions; nesting is bounded here, size by the client.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/settings.h"

namespace llamavisor {

// One entry of /api/ps. None of the sizes is the footprint; absent where the server does not know (some
// report 0 for every model) or is too old to say.
struct LoadedModel {
  std::string name;    // canonical
  std::string digest;  // of the manifest
  std::optional<std::uint64_t> size_bytes;
  std::optional<std::uint64_t> vram_bytes;
  std::optional<WallTime> expires_at;  // WallTime::max(): never
  std::optional<std::uint32_t> num_ctx;
};

Result<std::vector<LoadedModel>> parse_ps(std::string_view body);
Result<std::string> parse_version(std::string_view body);

// The text of {"error": "..."}, or the start of the body when it is something else.
std::string parse_error_text(std::string_view body);

// "2026-01-02T03:04:05.678901234+02:00". Beyond what WallTime holds (keep_alive -1 means in 292 years):
// WallTime::max(). Go's zero time and anything unreadable: absent.
std::optional<WallTime> parse_rfc3339(std::string_view text);

// Bodies for POST /api/generate without a prompt.
std::string unload_body(const std::string& model);
std::string keep_alive_body(const std::string& model, const KeepAlive& keep_alive,
                            std::optional<std::uint32_t> num_ctx);

}  // namespace llamavisor
