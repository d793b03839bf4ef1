// Model names and globs, as [models."glob"] reads them.
#pragma once

#include <fnmatch.h>

#include <string>
#include <string_view>

namespace llamavisor {

// A glob without a tag means every tag: "llama3*" matches "llama3.2:1b".
inline bool name_matches(const std::string& glob, std::string_view name) {
  const std::string target(glob.find(':') == std::string::npos ? name.substr(0, name.rfind(':')) : name);
  return fnmatch(glob.c_str(), target.c_str(), 0) == 0;
}

}  // namespace llamavisor
