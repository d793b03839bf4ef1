// configs/reference.toml, written from the key table. Thread: any; pure.
#pragma once

#include <string>

namespace llamavisor {

std::string reference_toml();

}  // namespace llamavisor
