// The plugins that are not to be run inside llamavisor until somebody trusts them again, with the reasons.
// Kept in one file, written atomically at each change. Thread: io thread; blocking for a small file.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace llamavisor {

struct QuarantineEntry {
  std::string reason;
  std::int64_t since_unix_ms = 0;
};

class Quarantine {
 public:
  Quarantine() = default;
  // A file that is not there is an empty one. One that is broken is kept aside as <path>.broken and said in
  // `warning`.
  static Quarantine read(const std::string& path, std::string& warning);

  [[nodiscard]] const std::map<std::string, QuarantineEntry>& entries() const { return entries_; }
  // Holds until the end of this process in any case; an error: not beyond it, the file cannot be written.
  Result<void> add(const std::string& id, QuarantineEntry entry);
  // Changes nothing when the file cannot be written.
  Result<void> lift(const std::string& id);

 private:
  explicit Quarantine(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<void> write(const std::map<std::string, QuarantineEntry>& entries) const;

  std::string path_;
  std::map<std::string, QuarantineEntry> entries_;
};

}  // namespace llamavisor
