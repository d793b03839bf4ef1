#include "store/history_db.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

namespace llamavisor {
namespace {

constexpr int kBusyMs = 5000;  // the other process writes for that long at most
constexpr const char* kSchema = R"sql(
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS requests(at_ms INTEGER NOT NULL, model TEXT NOT NULL, service_ms INTEGER NOT NULL,
                                      prompt_tokens INTEGER, answer_tokens INTEGER);
  CREATE TABLE IF NOT EXISTS loads(at_ms INTEGER NOT NULL, model TEXT NOT NULL, blob TEXT NOT NULL,
                                   bytes INTEGER NOT NULL, load_ms INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS evictions(at_ms INTEGER NOT NULL, model TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS requests_at ON requests(at_ms);
  CREATE INDEX IF NOT EXISTS loads_at ON loads(at_ms);
  CREATE INDEX IF NOT EXISTS evictions_at ON evictions(at_ms);
)sql";

std::int64_t ms_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
WallTime time_of(std::int64_t ms) {
  return WallTime{} + std::chrono::milliseconds(ms);
}

// One prepared statement. Errors stay in the connection: step() says false, and the caller asks failed().
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) {
    if (sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) != SQLITE_OK) {
      failed_ = true;
    }
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& bind(std::int64_t value) {
    failed_ = sqlite3_bind_int64(statement_, ++bound_, value) != SQLITE_OK || failed_;
    return *this;
  }
  Statement& bind(const std::string& value) {
    const int code = sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                                       SQLITE_TRANSIENT);
    failed_ = code != SQLITE_OK || failed_;
    return *this;
  }
  Statement& bind(const std::optional<std::uint64_t>& value) {
    const int code = value ? sqlite3_bind_int64(statement_, ++bound_, static_cast<std::int64_t>(*value))
                           : sqlite3_bind_null(statement_, ++bound_);
    failed_ = code != SQLITE_OK || failed_;
    return *this;
  }

  // True: there is a row.
  bool step() {
    const int code = failed_ ? SQLITE_ERROR : sqlite3_step(statement_);
    failed_ = failed_ || (code != SQLITE_ROW && code != SQLITE_DONE);
    return code == SQLITE_ROW;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  std::int64_t number(int column) { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) {
    const auto* bytes = sqlite3_column_text(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return bytes == nullptr ? "" : std::string(reinterpret_cast<const char*>(bytes), size);
  }
  std::optional<std::uint64_t> maybe(int column) {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL
               ? std::nullopt
               : std::optional(static_cast<std::uint64_t>(number(column)));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  bool failed_ = false;
};

bool run(Statement&& statement) {
  while (statement.step()) {
  }
  return !statement.failed();
}

bool insert(sqlite3* db, const HistoryRequest& entry) {
  return run(std::move(Statement(db, "INSERT INTO requests VALUES(?,?,?,?,?)")
                           .bind(ms_of(entry.at))
                           .bind(entry.model)
                           .bind(entry.service.count())
                           .bind(entry.prompt_tokens)
                           .bind(entry.answer_tokens)));
}
bool insert(sqlite3* db, const HistoryLoad& entry) {
  return run(std::move(Statement(db, "INSERT INTO loads VALUES(?,?,?,?,?)")
                           .bind(ms_of(entry.at))
                           .bind(entry.model)
                           .bind(entry.blob)
                           .bind(static_cast<std::int64_t>(entry.bytes))
                           .bind(entry.time.count())));
}
bool insert(sqlite3* db, const HistoryEviction& entry) {
  return run(
      std::move(Statement(db, "INSERT INTO evictions VALUES(?,?)").bind(ms_of(entry.at)).bind(entry.model)));
}

bool damaged(int code) {
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

// Its log goes too: it belongs to the damaged file.
std::string move_aside(const std::string& path) {
  std::error_code ec;
  std::string to = path + ".damaged";
  std::filesystem::rename(path, to, ec);
  for (const char* end : {"-wal", "-shm"}) {
    std::filesystem::remove(path + end, ec);
  }
  return to;
}

}  // namespace

void HistoryDb::Closer::operator()(sqlite3* db) const {
  sqlite3_close(db);
}

Error HistoryDb::error(const std::string& what) const {
  return Error(what + " " + path_ + ": " + sqlite3_errmsg(db_.get()));
}

Result<HistoryDb> HistoryDb::open_file(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  HistoryDb out(std::unique_ptr<sqlite3, Closer>(raw), path);
  if (code != SQLITE_OK) {
    return out.error("could not open the history");
  }
  sqlite3_busy_timeout(raw, kBusyMs);
  return out;
}

// Makes the tables and reads the whole file once: what is damaged is found now and not in a week. False: it
// is damaged.
Result<bool> HistoryDb::prepare_file() {
  bool fine = sqlite3_exec(db_.get(), kSchema, nullptr, nullptr, nullptr) == SQLITE_OK;
  if (fine) {
    Statement check(db_.get(), "PRAGMA quick_check(1)");
    if (check.step()) {
      return check.text(0) == "ok";
    }
    fine = false;
  }
  return damaged(sqlite3_errcode(db_.get())) ? Result<bool>(false) : error("could not prepare the history");
}

Result<HistoryDb> HistoryDb::open(const std::string& path,
                                  const std::function<void(const std::string&)>& moved_aside) {
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
  for (const bool first : {true, false}) {
    auto db = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (!db) {
      return db;
    }
    chmod(path.c_str(), 0600);
    const auto sound = db->prepare_file();
    if (!sound || *sound) {
      return sound ? std::move(db) : Result<HistoryDb>(sound.error());
    }
    if (!first) {
      break;
    }
    *db = HistoryDb(nullptr, "");
    moved_aside(move_aside(path));
  }
  return Error("a new history is damaged at once: " + path, "check the disk");
}

Result<HistoryDb> HistoryDb::open_readonly(const std::string& path) {
  return open_file(path, SQLITE_OPEN_READONLY);
}

Result<void> HistoryDb::add(const std::vector<HistoryEntry>& entries) {
  bool fine = run(Statement(db_.get(), "BEGIN IMMEDIATE"));
  for (const HistoryEntry& entry : entries) {
    fine = fine && std::visit([this](const auto& one) { return insert(db_.get(), one); }, entry);
  }
  if (fine && run(Statement(db_.get(), "COMMIT"))) {
    return {};
  }
  Error why = error("could not write the history");
  run(Statement(db_.get(), "ROLLBACK"));
  return why;
}

Result<std::uint64_t> HistoryDb::file_bytes() {
  Statement ask(db_.get(), "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
  return ask.step() ? Result<std::uint64_t>(static_cast<std::uint64_t>(ask.number(0)))
                    : error("could not measure the history");
}

Result<std::uint64_t> HistoryDb::remove_before(std::int64_t at_ms) {
  std::uint64_t removed = 0;
  for (const char* sql : {"DELETE FROM requests WHERE at_ms < ?", "DELETE FROM loads WHERE at_ms < ?",
                          "DELETE FROM evictions WHERE at_ms < ?"}) {
    if (!run(std::move(Statement(db_.get(), sql).bind(at_ms)))) {
      return error("could not prune the history");
    }
    removed += static_cast<std::uint64_t>(sqlite3_changes(db_.get()));
  }
  if (!run(Statement(db_.get(), "PRAGMA incremental_vacuum"))) {
    return error("could not shrink the history");
  }
  return removed;
}

// Too large: the older half of the time that it spans goes, again and again.
Result<std::uint64_t> HistoryDb::prune(const HistoryLimits& limits, WallTime now) {
  std::uint64_t removed = 0;
  if (limits.keep_age.count() > 0) {
    auto old = remove_before(ms_of(now - limits.keep_age));
    if (!old) {
      return old;
    }
    removed = *old;
  }
  for (auto bytes = file_bytes(); limits.max_bytes > 0 && bytes && *bytes > limits.max_bytes;
       bytes = file_bytes()) {
    Statement middle(
        db_.get(),
        "SELECT at_ms FROM requests ORDER BY at_ms LIMIT 1 OFFSET (SELECT count(*) / 4 FROM requests)");
    auto some = middle.step() ? remove_before(middle.number(0) + 1) : Result<std::uint64_t>(0U);
    if (!some || *some == 0) {
      return some ? Result<std::uint64_t>(removed) : some;
    }
    removed += *some;
  }
  return removed;
}

Result<std::vector<HistoryRequest>> HistoryDb::requests(WallTime since) {
  Statement ask(db_.get(), "SELECT * FROM requests WHERE at_ms >= ? ORDER BY at_ms");
  std::vector<HistoryRequest> out;
  for (ask.bind(ms_of(since)); ask.step();) {
    out.push_back({time_of(ask.number(0)), ask.text(1), std::chrono::milliseconds(ask.number(2)),
                   ask.maybe(3), ask.maybe(4)});
  }
  return ask.failed() ? Result<std::vector<HistoryRequest>>(error("could not read the history")) : ok(out);
}

Result<std::vector<HistoryLoad>> HistoryDb::loads(WallTime since) {
  Statement ask(db_.get(), "SELECT * FROM loads WHERE at_ms >= ? ORDER BY at_ms");
  std::vector<HistoryLoad> out;
  for (ask.bind(ms_of(since)); ask.step();) {
    out.push_back({time_of(ask.number(0)), ask.text(1), ask.text(2),
                   static_cast<std::uint64_t>(ask.number(3)), std::chrono::milliseconds(ask.number(4))});
  }
  return ask.failed() ? Result<std::vector<HistoryLoad>>(error("could not read the history")) : ok(out);
}

Result<std::vector<HistoryEviction>> HistoryDb::evictions(WallTime since) {
  Statement ask(db_.get(), "SELECT * FROM evictions WHERE at_ms >= ? ORDER BY at_ms");
  std::vector<HistoryEviction> out;
  for (ask.bind(ms_of(since)); ask.step();) {
    out.push_back({time_of(ask.number(0)), ask.text(1)});
  }
  return ask.failed() ? Result<std::vector<HistoryEviction>>(error("could not read the history")) : ok(out);
}

}  // namespace llamavisor
