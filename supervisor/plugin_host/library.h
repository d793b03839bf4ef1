// One plugin library: checked before it is opened, opened from a private copy, read with its own sizes.
// Thread: any; loading reads files and runs the library's constructors, so workers do it.
#pragma once

#include <llamavisor/abi.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace boost::dll {
class shared_library;
}

namespace llamavisor {

struct IsolationPlan;

// A key of the plugin's table, copied.
struct PluginKey {
  std::string name;
  std::string default_value;
  bool has_default = false;
  bool required = false;
  std::string help;
  std::int32_t type = 0;
  double min = 0;
  double max = 0;
};

// A plugin's descriptor, copied into today's layout: what the library was not built with is zero.
struct PluginInfo {
  std::string id;
  std::string version;
  std::string summary;
  std::string path;                // the file that the user named
  std::vector<std::string> roles;  // "eviction", "context", "notify"
  std::vector<PluginKey> keys;
  llv_plugin table{};  // valid while the library is held
  // How to run it in a process of its own; null: it runs in this one.
  std::shared_ptr<const IsolationPlan> isolation;
};

// A file of our own that goes with its owner, made of one that may be run: owned by root or by us, writable
// by nobody else. The original may be replaced or cut while the plugin runs, and the loader gives the old
// code back for a path that it has open: so each load gets a copy under a name that is never used again.
class PrivateCopy {
 public:
  static Result<PrivateCopy> of(const std::string& path);
  PrivateCopy(PrivateCopy&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  PrivateCopy& operator=(PrivateCopy&&) = delete;
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;
  ~PrivateCopy();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit PrivateCopy(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

class PluginLibrary {
 public:
  // Errors say what is wrong with the file in words: owner or mode, not an ELF of this machine, no entry,
  // wrong magic, other major, needs a newer host, short struct, null callback, bad id, duplicate id.
  static Result<std::shared_ptr<PluginLibrary>> open(const std::string& path);
  // The same for a copy that was made before; `path` is the file that errors name.
  static Result<std::shared_ptr<PluginLibrary>> load(const std::string& copy, const std::string& path);
  ~PluginLibrary();
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  [[nodiscard]] const std::vector<PluginInfo>& plugins() const { return plugins_; }

 private:
  PluginLibrary();
  Result<void> read_entry(const llv_entry* entry, const std::string& path);

  std::unique_ptr<boost::dll::shared_library> library_;  // first member: unloaded last
  std::vector<PluginInfo> plugins_;
};

// "eviction" <-> "llv.eviction/1"; empty for what is not a role.
std::string role_id(const std::string& role);

// [a-z][a-z0-9_]{0,31}
bool is_plugin_id(const std::string& id);

}  // namespace llamavisor
