// Small text helpers. Thread: any; pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llamavisor {

// The candidate that is a plausible misspelling of `word` (at most 1 edit in 3 characters); "" when none is.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace llamavisor
