// Where the `ollama` program is.
// Thread: any; a few stat calls.
#pragma once

#include <string>

#include "base/result.h"
#include "ollama/child_env.h"

namespace llamavisor {

// The first that is there: `setting` ([server] ollama), $LLAMAVISOR_OLLAMA, $PATH, the usual places, and what
// quickstart put into the cache folder (the newest version). What is named expressly must be there: no other
// one is taken in its stead. The path is absolute; the error lists where it was looked for.
Result<std::string> find_ollama(const std::string& setting, const Environment& environment);

}  // namespace llamavisor
