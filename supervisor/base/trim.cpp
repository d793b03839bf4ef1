#include "base/trim.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>

namespace llamavisor {
namespace {

// Text that nobody can have written to: a private mapping of a file, executable and read-only. Others may
// hold relocations, which no file has.
bool is_text(const char* rights, const std::string& line) {
  return std::string(rights) == "r-xp" && line.find('/') != std::string::npos;
}

}  // namespace

void give_back_start_memory() {
  malloc_trim(0);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    void* begin = nullptr;
    void* end = nullptr;
    char rights[5] = "";
    if (std::sscanf(line.c_str(), "%p-%p %4s", &begin, &end, rights) == 3 && is_text(rights, line)) {
      madvise(begin, static_cast<std::size_t>(static_cast<char*>(end) - static_cast<char*>(begin)),
              MADV_DONTNEED);
    }
  }
}

}  // namespace llamavisor
