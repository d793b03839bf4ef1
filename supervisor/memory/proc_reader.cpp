#include "memory/proc_reader.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace llamavisor {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxFileBytes = 256 * 1024;

std::optional<std::string> read_bounded(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return std::nullopt;
  }
  std::string out(kMaxFileBytes, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(in.gcount()));
  return out;
}

std::optional<std::uint64_t> number(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  std::uint64_t value = 0;
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  const auto parsed = std::from_chars(text.data() + start, text.data() + text.size(), value);
  return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

// "Name:   123 kB" -> bytes
std::optional<std::uint64_t> kb_line(const std::string& text, std::string_view name) {
  std::size_t at = 0;
  while ((at = text.find(name, at)) != std::string::npos) {
    const bool line_start = at == 0 || text[at - 1] == '\n';
    at += name.size();
    if (line_start && at < text.size() && text[at] == ':') {
      const auto value = number(std::string_view(text).substr(at + 1, 40));
      return value ? std::optional(*value * 1024) : std::nullopt;
    }
  }
  return std::nullopt;
}

// Field 22 of /proc/PID/stat, counted behind the command's closing bracket.
std::optional<std::uint64_t> start_ticks_of(const std::string& stat) {
  const std::size_t bracket = stat.rfind(')');
  if (bracket == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream rest(stat.substr(bracket + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) {
    if (!(rest >> field)) {
      return std::nullopt;
    }
  }
  return number(field);
}

std::vector<std::string> split_nul(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace

std::optional<std::uint64_t> ProcessMemory::footprint_bytes() const {
  if (!anon_bytes) {
    return std::nullopt;
  }
  return *anon_bytes + shmem_bytes.value_or(0) + swap_bytes.value_or(0);
}

std::optional<std::uint64_t> ProcessMemory::rss_bytes() const {
  if (!anon_bytes) {
    return std::nullopt;
  }
  return *anon_bytes + shmem_bytes.value_or(0) + file_bytes.value_or(0);
}

std::string ProcReader::process_file(int pid, const char* name) const {
  return proc_ + "/" + std::to_string(pid) + "/" + name;
}

MemInfo ProcReader::meminfo() const {
  const auto text = read_bounded(proc_ + "/meminfo");
  if (!text) {
    return {};
  }
  return {kb_line(*text, "MemTotal"), kb_line(*text, "MemAvailable"), kb_line(*text, "SwapTotal"),
          kb_line(*text, "SwapFree")};
}

std::optional<Psi> ProcReader::memory_pressure() const {
  const auto text = read_bounded(proc_ + "/pressure/memory");
  Psi out;
  if (!text || std::sscanf(text->c_str(), "some avg10=%lf", &out.some_avg10) != 1) {
    return std::nullopt;
  }
  const std::size_t full = text->find("full avg10=");
  if (full == std::string::npos ||
      std::sscanf(text->c_str() + full, "full avg10=%lf", &out.full_avg10) != 1) {
    return std::nullopt;
  }
  return out;
}

std::optional<CgroupMemory> ProcReader::cgroup_v2() const {
  const auto own = read_bounded(proc_ + "/self/cgroup");
  const std::size_t line = own ? own->find("0::") : std::string::npos;
  if (line == std::string::npos) {
    return std::nullopt;
  }
  std::string path = own->substr(line + 3, own->find('\n', line) - line - 3);
  std::optional<CgroupMemory> out;
  while (true) {
    const std::string folder = cgroup_ + (path == "/" ? "" : path);
    const auto limit_text = read_bounded(folder + "/memory.max");
    const auto current_text = read_bounded(folder + "/memory.current");
    if (limit_text && !out) {
      out.emplace();
      out->current_bytes = current_text ? number(*current_text) : std::nullopt;
    }
    const auto limit = limit_text ? number(*limit_text) : std::nullopt;
    if (limit && (!out->limit_bytes || *limit < *out->limit_bytes)) {
      out->limit_bytes = limit;
      out->current_bytes = current_text ? number(*current_text) : std::nullopt;
    }
    if (path.empty() || path == "/") {
      return out;
    }
    path.erase(path.rfind('/'));
  }
}

std::optional<CgroupMemory> ProcReader::cgroup_memory() const {
  if (auto v2 = cgroup_v2()) {
    return v2;
  }
  const auto limit = read_bounded(cgroup_ + "/memory/memory.limit_in_bytes");
  if (!limit) {
    return std::nullopt;
  }
  CgroupMemory out;
  const auto bytes = number(*limit);
  if (bytes && *bytes < (1ULL << 60U)) {  // v1 writes about 2^63 for "no limit"
    out.limit_bytes = bytes;
  }
  if (const auto usage = read_bounded(cgroup_ + "/memory/memory.usage_in_bytes")) {
    out.current_bytes = number(*usage);
  }
  return out;
}

// Every thread may have forked: /proc/PID/task/TID/children lists its own.
std::vector<int> ProcReader::children(int pid) const {
  std::vector<int> out;
  std::error_code ec;
  for (fs::directory_iterator it(process_file(pid, "task"), ec), end; !ec && it != end; it.increment(ec)) {
    std::istringstream list(read_bounded(it->path().string() + "/children").value_or(""));
    for (int child = 0; list >> child;) {
      out.push_back(child);
    }
  }
  return out;
}

std::vector<ProcessInfo> ProcReader::descendants(int pid) const {
  constexpr std::size_t kMaxProcesses = 4096;
  std::vector<ProcessInfo> out;
  std::vector<int> open{pid};
  while (!open.empty() && out.size() < kMaxProcesses) {
    const int parent = open.back();
    open.pop_back();
    for (const int child : children(parent)) {
      open.push_back(child);
      const auto started = start_ticks(child);
      const auto argv = read_bounded(process_file(child, "cmdline"));
      if (started && argv) {
        out.push_back({child, *started, split_nul(*argv)});
      }
    }
  }
  return out;
}

std::optional<std::uint64_t> ProcReader::start_ticks(int pid) const {
  const auto stat = read_bounded(process_file(pid, "stat"));
  return stat ? start_ticks_of(*stat) : std::nullopt;
}

ProcessMemory ProcReader::memory_of(int pid) const {
  const auto text = read_bounded(process_file(pid, "status"));
  if (!text) {
    return {};
  }
  return {kb_line(*text, "RssAnon"), kb_line(*text, "RssFile"), kb_line(*text, "RssShmem"),
          kb_line(*text, "VmSwap")};
}

std::optional<std::uint64_t> ProcReader::pss_of(int pid) const {
  const auto text = read_bounded(process_file(pid, "smaps_rollup"));
  return text ? kb_line(*text, "Pss") : std::nullopt;
}

bool process_is(int pid, std::uint64_t start_ticks) {
  return ProcReader().start_ticks(pid) == start_ticks;
}

std::optional<std::uint64_t> read_available_bytes(const ProcReader& proc) {
  return proc.meminfo().available_bytes;
}

}  // namespace llamavisor
