// The file of what happened: requests, loads and evictions, for replays. No text of any prompt or answer.
//
// SQLite with a write-ahead log, so that a reader (llamavisor simulate) and the daemon do not disturb each
// other. A file that SQLite finds damaged is moved aside to <path>.damaged, and an empty one takes its place.
// Thread: any; one user at a time; every call blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

struct sqlite3;

namespace llamavisor {

struct HistoryRequest {
  WallTime at;  // it took the model
  std::string model;
  std::chrono::milliseconds service{0};  // from when the model was loaded to the end of the answer
  std::optional<std::uint64_t> prompt_tokens;
  std::optional<std::uint64_t> answer_tokens;
};
struct HistoryLoad {
  WallTime at;  // it was ready
  std::string model;
  std::string blob;  // its digest; empty: unknown
  std::uint64_t bytes = 0;
  std::chrono::milliseconds time{0};  // as measured, or as Ollama said it
};
struct HistoryEviction {
  WallTime at;
  std::string model;
};
using HistoryEntry = std::variant<HistoryRequest, HistoryLoad, HistoryEviction>;

struct HistoryLimits {
  std::chrono::milliseconds keep_age{0};  // 0: for ever
  std::uint64_t max_bytes = 0;            // of the file, its log not counted; 0: any
};

class HistoryDb {
 public:
  // Creates the file. `moved_aside` gets the new name of a damaged one.
  static Result<HistoryDb> open(const std::string& path,
                                const std::function<void(const std::string&)>& moved_aside);
  // For reading only; an error when there is no file.
  static Result<HistoryDb> open_readonly(const std::string& path);

  // All or nothing.
  Result<void> add(const std::vector<HistoryEntry>& entries);
  // Removes what is older than keep_age, then the oldest until the file is below max_bytes. Returns how many.
  Result<std::uint64_t> prune(const HistoryLimits& limits, WallTime now);

  // What happened since then, by time.
  Result<std::vector<HistoryRequest>> requests(WallTime since);
  Result<std::vector<HistoryLoad>> loads(WallTime since);
  Result<std::vector<HistoryEviction>> evictions(WallTime since);

 private:
  struct Closer {
    void operator()(sqlite3* db) const;
  };
  HistoryDb(std::unique_ptr<sqlite3, Closer> db, std::string path)
      : db_(std::move(db)), path_(std::move(path)) {}
  static Result<HistoryDb> open_file(const std::string& path, int flags);
  Result<bool> prepare_file();
  Result<std::uint64_t> file_bytes();
  Result<std::uint64_t> remove_before(std::int64_t at_ms);
  [[nodiscard]] Error error(const std::string& what) const;

  std::unique_ptr<sqlite3, Closer> db_;
  std::string path_;
};

}  // namespace llamavisor
