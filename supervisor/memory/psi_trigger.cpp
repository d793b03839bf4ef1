#include "memory/psi_trigger.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace llamavisor {

Result<PsiTrigger> PsiTrigger::open(const std::string& pressure_file) {
  constexpr char trigger[] = "some 150000 2000000";  // microseconds; the kernel wants the NUL as well
  UniqueFd fd(::open(pressure_file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    return Error(pressure_file + ": " + std::strerror(errno),
                 "memory pressure is then seen at each sample only");
  }
  if (::write(fd.get(), trigger, sizeof trigger) < 0) {
    return Error(pressure_file + ": the kernel refuses a trigger: " + std::strerror(errno),
                 "memory pressure is then seen at each sample only");
  }
  return PsiTrigger(std::move(fd));
}

}  // namespace llamavisor
