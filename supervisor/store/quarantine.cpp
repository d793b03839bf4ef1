#include "store/quarantine.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>

#include "base/file.h"

namespace llamavisor {
namespace {

namespace json = boost::json;
constexpr std::size_t kMaxBytes = 1U << 20U;

// {"id": {"reason": "...", "since_unix_ms": 1}}; false: it is not that.
bool parse_entries(const std::string& text, std::map<std::string, QuarantineEntry>& out) {
  boost::system::error_code ec;
  const json::value root = json::parse(text, ec);
  if (ec || !root.is_object()) {
    return false;
  }
  for (const auto& [id, value] : root.get_object()) {
    const json::object* entry = value.if_object();
    const json::value* reason = entry == nullptr ? nullptr : entry->if_contains("reason");
    const json::value* since = entry == nullptr ? nullptr : entry->if_contains("since_unix_ms");
    if (reason == nullptr || !reason->is_string() || since == nullptr || !since->is_int64()) {
      return false;
    }
    out[id] = {std::string(reason->get_string()), since->get_int64()};
  }
  return true;
}

}  // namespace

Quarantine Quarantine::read(const std::string& path, std::string& warning) {
  Quarantine out(path);
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) {
    return out;
  }
  const auto text = read_file(path, kMaxBytes);
  if (!text || !parse_entries(*text, out.entries_)) {
    out.entries_.clear();
    std::filesystem::rename(path, path + ".broken", ec);
    warning = "the list of plugins in quarantine was broken and is kept aside as " + path + ".broken" +
              (text ? "" : ": " + text.error().text());
  }
  return out;
}

Result<void> Quarantine::add(const std::string& id, QuarantineEntry entry) {
  entries_[id] = std::move(entry);
  return write(entries_);
}

Result<void> Quarantine::lift(const std::string& id) {
  auto entries = entries_;
  entries.erase(id);
  auto written = write(entries);
  if (written) {
    entries_ = std::move(entries);
  }
  return written;
}

Result<void> Quarantine::write(const std::map<std::string, QuarantineEntry>& entries) const {
  json::object out;
  for (const auto& [id, entry] : entries) {
    out[id] = json::object{{"reason", entry.reason}, {"since_unix_ms", entry.since_unix_ms}};
  }
  return write_file_atomically(path_, json::serialize(out) + "\n");
}

}  // namespace llamavisor
