#include "ollama/bounded_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace llamavisor {

BoundedReader::BoundedReader(const std::string& path, std::uint64_t max_bytes)
    : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat info {};
  good_ = fd_ && ::fstat(fd_.get(), &info) == 0 && S_ISREG(info.st_mode);
  end_ = good_ ? std::min(max_bytes, static_cast<std::uint64_t>(info.st_size)) : 0;
}

std::string BoundedReader::text(std::uint64_t size, std::uint64_t keep) {
  if (size > keep || size > left()) {
    skip(size);
    return {};
  }
  std::string out(size, '\0');
  read(out.data(), out.size());
  return good_ ? out : std::string();
}

void BoundedReader::skip(std::uint64_t bytes) {
  good_ = good_ && bytes <= left();
  at_ += good_ ? bytes : 0;
}

void BoundedReader::read(char* out, std::size_t size) {
  good_ = good_ && size <= left();
  while (good_ && size > 0) {
    if (at_ < buffer_at_ || at_ >= buffer_at_ + buffered_) {
      good_ = fill();
      continue;
    }
    const std::size_t from = at_ - buffer_at_;
    const std::size_t n = std::min(size, buffered_ - from);
    std::memcpy(out, buffer_.data() + from, n);
    out += n;
    size -= n;
    at_ += n;
  }
}

bool BoundedReader::fill() {
  ssize_t got = 0;
  do {
    got = ::pread(fd_.get(), buffer_.data(), buffer_.size(), static_cast<off_t>(at_));
  } while (got < 0 && errno == EINTR);
  buffer_at_ = at_;
  buffered_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  return got > 0;
}

}  // namespace llamavisor
