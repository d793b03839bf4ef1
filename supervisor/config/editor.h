// Changes one value in a TOML text and leaves every other byte as it is: comments, order and spacing stay.
// Thread: any; pure.
#pragma once

#include <string>

#include "base/result.h"

namespace llamavisor {

// `key` is dotted, with quotes where a part needs them: memory.limit, models."a:7b".pin. `value` is TOML
// ("\"6GB\"", "true"); a word that is not TOML is taken as a string. The result is checked against the
// schema; an error leaves nothing changed.
Result<std::string> set_config_key(const std::string& text, const std::string& key, const std::string& value);

// Without the key the text comes back as it was.
Result<std::string> remove_config_key(const std::string& text, const std::string& key);

}  // namespace llamavisor
