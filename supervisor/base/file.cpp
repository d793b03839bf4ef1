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

// `path` ends in XXXXXX, which becomes a name that no other writer has.
Result<void> write_and_sync(std::string& path, const std::string& text, mode_t mode) {
  const UniqueFd fd(mkostemp(path.data(), O_CLOEXEC));
  if (!fd || fchmod(fd.get(), mode) != 0) {
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
  if (in.bad()) {
    return failed(path);  // a folder can be opened, but not read
  }
  if (out.size() > max_bytes) {
    return Error(path + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
  return ok(std::move(out));
}

// A link (a dotfile folder's, say) stays: the file that it names is written.
Result<void> write_file_atomically(const std::string& path, const std::string& text) {
  std::error_code ec;
  const auto real = std::filesystem::weakly_canonical(path, ec);
  const std::string target = ec ? path : real.string();
  std::filesystem::create_directories(std::filesystem::path(target).parent_path(), ec);
  struct stat old {};
  const mode_t mode = stat(target.c_str(), &old) == 0 ? old.st_mode & 07777U : 0600U;
  std::string temporary = target + ".new-XXXXXX";
  auto written = write_and_sync(temporary, text, mode);
  if (written && rename(temporary.c_str(), target.c_str()) != 0) {
    written = failed(target);
  }
  if (!written) {
    unlink(temporary.c_str());
  }
  return written;
}

}  // namespace llamavisor
