#include "plugin_host/library.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/dll/library_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <filesystem>
#include <utility>

#include "plugin_host/plugin_config.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

namespace dll = boost::dll;
constexpr const char* kEntry = "llv_plugin_entry_v1";
constexpr std::array<std::string_view, 3> kRoles{"eviction", "context", "notify"};
// Sizes of 1.0: the least that a plugin of major 1 brings, however much today's structs have grown.
constexpr std::uint32_t kEntryBytes = 32;
constexpr std::uint32_t kKeyBytes = 48;

// Code that runs inside the daemon may be changed only by root or by the daemon's own user.
Result<void> check_file(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return Error(path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return Error(path + ": not a file");
  }
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    return Error(path + ": owned by another user (uid " + std::to_string(info.st_uid) + ")", "chown it");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error(path + ": writable by others", "chmod go-w " + path);
  }
  return {};
}

// Looks at the symbols without running any code of the library.
Result<void> check_symbols(const std::string& copy, const std::string& path) {
  try {
    dll::library_info info(copy);
    const auto symbols = info.symbols();
    if (std::find(symbols.begin(), symbols.end(), kEntry) == symbols.end()) {
      return Error(path + ": not a llamavisor plugin of ABI 1: it does not export " + kEntry);
    }
    return {};
  } catch (const std::exception& error) {
    return Error(path + ": not a shared library of this machine: " + error.what());
  }
}

// Copies what both sides know of a table into a zeroed one of today. A size that no compiler makes is rounded
// down, so that no pointer is copied in part.
template <class T>
T sized_copy(const void* from, std::uint32_t their_size) {
  T out{};
  std::memcpy(&out, from, std::min<std::size_t>(their_size - their_size % alignof(T), sizeof(T)));
  return out;
}

PluginKey read_key(const llv_plugin& plugin, std::uint32_t index) {
  const auto* at = reinterpret_cast<const char*>(plugin.keys) + std::size_t{index} * plugin.key_stride;
  const auto key = sized_copy<llv_key>(at, plugin.key_stride);
  PluginKey out;
  out.name = key.name == nullptr ? "" : key.name;
  out.has_default = key.default_value != nullptr;
  out.default_value = out.has_default ? key.default_value : "";
  out.required = (key.flags & LLV_KEY_REQUIRED) != 0;
  out.help = key.help == nullptr ? "" : key.help;
  out.type = key.type;
  out.min = key.min;
  out.max = key.max;
  return out;
}

Error bad(const std::string& path, const std::string& what) {
  return Error(path + ": " + what, "build it anew with llamavisor's SDK");
}

Result<void> check_entry(const llv_entry* entry, const std::string& path) {
  if (entry->magic != LLV_ENTRY_MAGIC) {
    return bad(path, "the entry has a wrong magic number");
  }
  if (entry->struct_size < kEntryBytes) {
    return bad(path, "the entry is too short");
  }
  if (entry->abi_major != LLV_ABI_MAJOR) {
    return bad(path, "built for ABI " + std::to_string(entry->abi_major) + ", this is ABI " +
                         std::to_string(LLV_ABI_MAJOR));
  }
  if (entry->min_host_minor > LLV_ABI_MINOR) {
    return Error(path + ": needs ABI 1." + std::to_string(entry->min_host_minor) +
                     ", this llamavisor has 1." + std::to_string(LLV_ABI_MINOR),
                 "update llamavisor");
  }
  if (entry->plugin_count == 0 || entry->plugin_count > 64 || entry->plugins == nullptr) {
    return bad(path, "the entry lists no plugin");
  }
  return {};
}

// The role's table must be whole before anybody calls through it.
bool is_whole(const void* role) {
  constexpr std::uint32_t kFirstCallback = 8;  // in each role: after struct_size and reserved
  const std::uint32_t bytes = *static_cast<const std::uint32_t*>(role);
  return bytes >= kFirstCallback + sizeof(void*) &&
         *reinterpret_cast<void* const*>(static_cast<const char*>(role) + kFirstCallback) != nullptr;
}

Result<std::vector<std::string>> read_roles(const PluginInfo& plugin) {
  std::vector<std::string> out;
  for (const std::string_view name : kRoles) {
    const std::string role(name);
    const void* table = plugin.table.get_role(role_id(role).c_str());
    if (table != nullptr && !is_whole(table)) {
      return Error("the " + role + " table of " + plugin.id + " is too short or its callback is null");
    }
    if (table != nullptr) {
      out.push_back(role);
    }
  }
  return out.empty() ? Error(plugin.id + " plays no role that this host knows")
                     : Result<std::vector<std::string>>(std::move(out));
}

Result<PluginInfo> read_plugin(const llv_plugin* plugin, const std::string& path) {
  if (plugin == nullptr || plugin->struct_size < offsetof(llv_plugin, reconfigure)) {
    return bad(path, "a plugin table is missing or too short");
  }
  PluginInfo out;
  out.path = path;
  out.table = sized_copy<llv_plugin>(plugin, plugin->struct_size);
  if (out.table.create == nullptr || out.table.destroy == nullptr || out.table.get_role == nullptr) {
    return bad(path, "a required callback (create, destroy or get_role) is null");
  }
  out.id = out.table.id == nullptr ? "" : out.table.id;
  if (!is_plugin_id(out.id)) {
    return bad(path, "\"" + out.id + "\" is not a plugin id");
  }
  out.version = out.table.version == nullptr ? "" : out.table.version;
  out.summary = out.table.summary == nullptr ? "" : out.table.summary;
  const bool keys_fit = out.table.keys != nullptr && out.table.key_stride >= kKeyBytes;
  if (out.table.key_count > 256 || (out.table.key_count > 0 && !keys_fit)) {
    return bad(path, "the key table makes no sense");
  }
  for (std::uint32_t i = 0; i < out.table.key_count; ++i) {
    out.keys.push_back(read_key(out.table, i));
  }
  if (auto fine = PluginConfig::check_keys(out); !fine) {
    return bad(path, fine.error().message);
  }
  auto roles = read_roles(out);
  if (!roles) {
    return bad(path, roles.error().message);
  }
  out.roles = std::move(*roles);
  return out;
}

}  // namespace

std::string role_id(const std::string& role) {
  const bool known = std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
  return known ? "llv." + role + "/1" : "";
}

bool is_plugin_id(const std::string& id) {
  const bool starts = !id.empty() && id.size() <= 32 && id[0] >= 'a' && id[0] <= 'z';
  return starts && id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

PluginLibrary::PluginLibrary() = default;
PluginLibrary::~PluginLibrary() = default;

PrivateCopy::~PrivateCopy() {
  if (!path_.empty()) {
    unlink(path_.c_str());
  }
}

Result<PrivateCopy> PrivateCopy::of(const std::string& path) {
  static std::atomic<unsigned> generation{0};
  namespace fs = std::filesystem;
  if (auto fine = check_file(path); !fine) {
    return fine.error();
  }
  const fs::path folder = fs::path(runtime_dir()) / "plugins";
  const fs::path copy = folder / (fs::path(path).stem().string() + "-" + std::to_string(getpid()) + "-" +
                                  std::to_string(++generation) + ".so");
  std::error_code ec;
  fs::create_directories(folder, ec);
  fs::permissions(folder, fs::perms::owner_all, ec);
  fs::copy_file(path, copy, fs::copy_options::overwrite_existing, ec);
  if (ec) {
    return Error(path + ": cannot be copied to " + copy.string() + ": " + ec.message());
  }
  return PrivateCopy(copy.string());
}

Result<std::shared_ptr<PluginLibrary>> PluginLibrary::open(const std::string& path) {
  const auto copy = PrivateCopy::of(path);
  return copy ? load(copy->path(), path) : copy.error();
}

Result<std::shared_ptr<PluginLibrary>> PluginLibrary::load(const std::string& copy, const std::string& path) {
  if (auto fine = check_symbols(copy, path); !fine) {
    return fine.error();
  }
  std::shared_ptr<PluginLibrary> out(new PluginLibrary());
  const llv_entry* entry = nullptr;
  try {
    out->library_ =
        std::make_unique<dll::shared_library>(copy, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    entry = &out->library_->get<const llv_entry>(kEntry);
  } catch (const std::exception& error) {
    return Error(path + ": cannot be loaded: " + error.what());
  }
  if (auto fine = out->read_entry(entry, path); !fine) {
    return fine.error();
  }
  return out;
}

Result<void> PluginLibrary::read_entry(const llv_entry* entry, const std::string& path) {
  if (auto fine = check_entry(entry, path); !fine) {
    return fine;
  }
  for (std::uint32_t i = 0; i < entry->plugin_count; ++i) {
    auto plugin = read_plugin(entry->plugins[i], path);
    if (!plugin) {
      return plugin.error();
    }
    const bool twice = std::any_of(plugins_.begin(), plugins_.end(),
                                   [&](const PluginInfo& other) { return other.id == plugin->id; });
    if (twice) {
      return bad(path, "two plugins have the id " + plugin->id);
    }
    plugins_.push_back(std::move(*plugin));
  }
  return {};
}

}  // namespace llamavisor
