#include "plugin_host/helper/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>

namespace llamavisor {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // their runtimes reserve terabytes, and make calls of their own
#else
constexpr bool kSanitized = false;
#endif

constexpr rlim_t kAddressSpaceBytes = 512ULL << 20U;
constexpr rlim_t kMaxFiles = 16;

Error failed(const char* what, int code) {
  return Error(std::string("the helper process cannot be sandboxed: ") + what + ": " + std::strerror(code));
}

Result<void> limit(__rlimit_resource what, rlim_t most) {
  const rlimit both{most, most};
  return setrlimit(what, &both) == 0 ? Result<void>() : failed("setrlimit", errno);
}

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

// What malloc, the loader, the C++ library and our own reading and writing use. recv() and send() are the
// socket that we have; there is no way to another one.
constexpr int kAllowed[] = {
    SCMP_SYS(read),         SCMP_SYS(close),        SCMP_SYS(fstat),           SCMP_SYS(newfstatat),
    SCMP_SYS(statx),        SCMP_SYS(lseek),        SCMP_SYS(pread64),         SCMP_SYS(mmap),
    SCMP_SYS(mprotect),     SCMP_SYS(munmap),       SCMP_SYS(mremap),          SCMP_SYS(madvise),
    SCMP_SYS(brk),          SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),  SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),  SCMP_SYS(futex),        SCMP_SYS(sched_yield),     SCMP_SYS(getpid),
    SCMP_SYS(gettid),       SCMP_SYS(getrandom),    SCMP_SYS(clock_gettime),   SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep),    SCMP_SYS(restart_syscall), SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),       SCMP_SYS(exit),         SCMP_SYS(exit_group),      SCMP_SYS(seccomp),
    SCMP_SYS(readlink),     SCMP_SYS(access),       SCMP_SYS(faccessat),
};

// A call that is allowed with one value of an argument only. (libseccomp's own macros are not C++.)
int allow_if(void* filter, int call, const scmp_arg_cmp& argument) {
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &argument);
}

int allow_some(void* filter) {
  int code = allow_if(filter, SCMP_SYS(openat),
                      {2, SCMP_CMP_MASKED_EQ, scmp_datum_t{O_ACCMODE | O_CREAT | O_TRUNC}, O_RDONLY});
  for (const int option : {PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP}) {
    code = code == 0
               ? allow_if(filter, SCMP_SYS(prctl), {0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(option), 0})
               : code;
  }
  // abort() sends itself a signal.
  return code == 0
             ? allow_if(filter, SCMP_SYS(tgkill), {0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()), 0})
             : code;
}

// What a filter does not let through fails with EPERM: a plugin may take it as any other failure.
Result<void> load(void* filter, int code) {
  if (code == 0) {
    code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  }
  if (code == 0) {
    code = seccomp_load(filter);
  }
  return code == 0 ? Result<void>() : failed("seccomp", -code);
}

}  // namespace

Result<void> enter_sandbox() {
  if (kSanitized) {
    return {};
  }
  for (const auto& [what, most] :
       {std::pair(RLIMIT_CORE, rlim_t{0}), std::pair(RLIMIT_FSIZE, rlim_t{0}),
        std::pair(RLIMIT_NOFILE, kMaxFiles), std::pair(RLIMIT_AS, kAddressSpaceBytes)}) {
    if (auto set = limit(what, most); !set) {
      return set;
    }
  }
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  int code = filter ? allow_some(filter.get()) : -ENOMEM;
  for (const int call : kAllowed) {
    code = code == 0 ? seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) : code;
  }
  return load(filter.get(), code);
}

Result<void> close_files() {
  if (kSanitized) {
    return {};
  }
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  int code = filter ? 0 : -ENOMEM;
  for (const int call : {SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(readlink),
                         SCMP_SYS(access), SCMP_SYS(faccessat)}) {
    code = code == 0 ? seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0) : code;
  }
  return load(filter.get(), code);
}

}  // namespace llamavisor
