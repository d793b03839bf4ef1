// The questions to a helper and what they carry. A question is its kind, its number, the host's time and then
// its values; an answer is that number, a code of the C ABI, a text for an error, lines for the log, and then
// its values. The number finds an answer out that belongs to no question, or to an earlier one.
// Thread: any; pure functions.
#pragma once

#include <llamavisor/abi.h>

#include <map>
#include <string>
#include <vector>

#include "plugin_host/helper_wire.h"
#include "plugin_host/library.h"
#include "plugin_host/plugin_config.h"

namespace llamavisor {

// The descriptor of the socket in a helper.
constexpr int kHelperSocket = 3;

// Unasked, a helper first answers what is in the library: pack_plugins().
enum class Ask : std::uint32_t { create, reconfigure, save, restore, rank, due, choose, notify };

constexpr std::uint32_t kMaxLogLines = 64;   // with one answer
constexpr std::size_t kMaxTextBytes = 4096;  // of any text of a plugin but a saved state

// Optional callbacks, as bits.
constexpr std::uint32_t kHasReconfigure = 1;
constexpr std::uint32_t kHasSave = 2;
constexpr std::uint32_t kHasRestore = 4;
constexpr std::uint32_t kHasDue = 8;

// A plugin that was loaded elsewhere: its table is empty, `callbacks` says what is in it.
struct DescribedPlugin {
  PluginInfo info;
  std::uint32_t callbacks = 0;
};

void pack_plugins(Packer& out, const std::vector<PluginInfo>& plugins);
// As strict as the loader is with a library.
Result<std::vector<DescribedPlugin>> unpack_plugins(Unpacker& in, const std::string& path);

void pack_values(Packer& out, const PluginConfig& config);
PluginConfig unpack_values(Unpacker& in);

void pack_snapshot(Packer& out, const llv_snapshot& snapshot);
// A snapshot whose texts lie in the bytes that were unpacked.
struct UnpackedSnapshot {
  llv_snapshot view{};
  std::vector<llv_model> models;
};
void unpack_snapshot(Unpacker& in, UnpackedSnapshot& out);

void pack_event(Packer& out, const llv_event& event);
llv_event unpack_event(Unpacker& in);

}  // namespace llamavisor
