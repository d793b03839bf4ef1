#include "domain/snapshot.h"

namespace llamavisor {

const char* to_string(ResidencyState state) {
  switch (state) {
    case ResidencyState::loading:
      return "loading";
    case ResidencyState::ready:
      return "ready";
    case ResidencyState::draining:
      return "draining";
    case ResidencyState::unloading:
      return "unloading";
  }
  return "unknown";
}

}  // namespace llamavisor
