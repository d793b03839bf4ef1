// Asks the kernel to wake us when tasks stall on memory. Thread: any; one owner.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace llamavisor {

class PsiTrigger {
 public:
  // An error: no PSI in this kernel, or no permission. 150 ms of stall within 2 s: windows that are not a
  // multiple of 2 s are refused to unprivileged processes.
  static Result<PsiTrigger> open(const std::string& pressure_file = "/proc/pressure/memory");
  // Becomes ready with POLLPRI at most once a window. Closing it ends the trigger.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit PsiTrigger(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace llamavisor
