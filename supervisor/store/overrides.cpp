#include "store/overrides.h"

#include <filesystem>

#include "base/file.h"
#include "config/editor.h"
#include "config/layers.h"

namespace llamavisor {
namespace {

constexpr std::size_t kMaxBytes = 1U << 20U;

}  // namespace

std::string read_overrides(const std::string& path, std::string& warning) {
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) {
    return {};
  }
  const auto text = read_file(path, kMaxBytes);
  std::string bad;
  if (!text) {
    bad = text.error().text();
  } else if (const auto errors = load_layers({{path, *text}}).errors; !errors.empty()) {
    bad = errors.front();
  } else {
    return *text;
  }
  std::filesystem::rename(path, path + ".broken", ec);
  warning = ec ? "the overrides are broken and are not used: " + bad
               : "the overrides were broken and are kept aside as " + path + ".broken: " + bad;
  return {};
}

Result<void> change_overrides(const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& changes) {
  std::string warning;
  std::string text = read_overrides(path, warning);
  if (text.empty()) {
    text =
        "# Written by llamavisor (limit, pin, profile use, plugin use). Yours to edit while it is stopped.\n";
  }
  for (const auto& [key, value] : changes) {
    auto changed = value.empty() ? remove_config_key(text, key) : set_config_key(text, key, value);
    if (!changed) {
      return changed.error();
    }
    text = std::move(*changed);
  }
  return write_file_atomically(path, text);
}

}  // namespace llamavisor
