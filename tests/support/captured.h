// What this process writes on stdout and stderr while a function runs.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"
#include "support/temp_dir.h"

namespace llamavisor::testing {

struct Captured {
  int code = -1;  // what the function returned
  std::string out;
  std::string err;
};

template <class Function>
Captured captured(Function function) {
  const TempDir dir;
  const auto flush = [] {
    std::cout.flush();
    std::fflush(stdout);
    std::fflush(stderr);
  };
  const auto to_file = [&](const char* name) {
    return UniqueFd(::open(dir.file(name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  };
  flush();
  const UniqueFd old_out(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  const UniqueFd old_err(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  ::dup2(to_file("out").get(), STDOUT_FILENO);
  ::dup2(to_file("err").get(), STDERR_FILENO);
  Captured result;
  result.code = function();
  flush();
  ::dup2(old_out.get(), STDOUT_FILENO);
  ::dup2(old_err.get(), STDERR_FILENO);
  constexpr std::size_t kMaxBytes = 16U << 20U;
  result.out = read_file(dir.file("out"), kMaxBytes).value();
  result.err = read_file(dir.file("err"), kMaxBytes).value();
  return result;
}

}  // namespace llamavisor::testing
