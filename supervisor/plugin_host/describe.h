// What is in a plugin file, found out without running any of its code in this process: a helper loads it.
// Answers are kept for as long as the file is the same. Thread: any; blocking.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "plugin_host/helper_messages.h"

namespace llamavisor {

// Errors are those of HelperProcess::load().
Result<std::vector<DescribedPlugin>> describe_library(const std::string& path);

}  // namespace llamavisor
