#include "plugin_host/describe.h"

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "plugin_host/helper_process.h"

namespace llamavisor {
namespace {

constexpr std::chrono::seconds kLoadDeadline{5};
constexpr std::size_t kMaxKept = 256;

// Another one after any change of the file's content, owner or mode.
using Identity = std::tuple<dev_t, ino_t, off_t, std::int64_t, std::int64_t>;

Identity identity_of(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return {};
  }
  return {info.st_dev, info.st_ino, info.st_size, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

struct Kept {
  Identity identity;
  std::vector<DescribedPlugin> plugins;
};

class Descriptions {
 public:
  Result<std::vector<DescribedPlugin>> of(const std::string& path) {
    const Identity identity = identity_of(path);
    if (const auto found = find(path, identity)) {
      return *found;
    }
    auto loaded = HelperProcess::load(path, kLoadDeadline);
    if (!loaded) {
      return loaded.error();
    }
    keep(path, {identity, loaded->plugins});
    return std::move(loaded->plugins);
  }

 private:
  std::optional<std::vector<DescribedPlugin>> find(const std::string& path, const Identity& identity) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = kept_.find(path);
    const bool same = it != kept_.end() && it->second.identity == identity;
    return same ? std::optional(it->second.plugins) : std::nullopt;
  }
  void keep(const std::string& path, Kept kept) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (kept_.size() >= kMaxKept) {
      kept_.clear();
    }
    kept_.insert_or_assign(path, std::move(kept));
  }

  std::mutex mutex_;
  std::map<std::string, Kept> kept_;
};

}  // namespace

Result<std::vector<DescribedPlugin>> describe_library(const std::string& path) {
  static Descriptions descriptions;
  return descriptions.of(path);
}

}  // namespace llamavisor
