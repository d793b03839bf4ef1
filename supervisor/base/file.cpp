#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"

namespace llamavisor {
namespace {

Error failed(const std::string& path) {
  return Error(path + ": " + std::strerror(errno));
}

Result<void> write_and_sync(const std::string& path, const std::string& text, mode_t mode) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) {
    return failed(path);
  }
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd.get(), text.data() + done, text.size() - done);
    if (n < 0) {
      return failed(path);
    }
    done += static_cast<std::size_t>(n);
  }
  return fsync(fd.get()) == 0 ? Result<void>() : failed(path);
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return failed(path);
  }
  std::string out(max_bytes + 1, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(in.gcount()));
  if (out.size() > max_bytes) {
    return Error(path + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
  return ok(std::move(out));
}

Result<void> write_file_atomically(const std::string& path, const std::string& text) {
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
  struct stat old {};
  const mode_t mode = stat(path.c_str(), &old) == 0 ? old.st_mode & 07777U : 0600U;
  const std::string temporary = path + ".new-" + std::to_string(getpid());
  if (auto written = write_and_sync(temporary, text, mode); !written) {
    unlink(temporary.c_str());
    return written.error();
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const Error error = failed(path);
    unlink(temporary.c_str());
    return error;
  }
  return {};
}

}  // namespace llamavisor
