#include "memory/psi_trigger.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace llamavisor {

Result<PsiTrigger> PsiTrigger::open() {
  constexpr std::string_view trigger("some 150000 2000000\0", 20);
  UniqueFd fd(::open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    return Error(std::string("/proc/pressure/memory: ") + std::strerror(errno));
  }
  if (write(fd.get(), trigger.data(), trigger.size()) < 0) {
    return Error(std::string("no memory pressure trigger: ") + std::strerror(errno));
  }
  return PsiTrigger(std::move(fd));
}

}  // namespace llamavisor
