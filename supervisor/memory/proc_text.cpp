#include "memory/proc_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/unique_fd.h"

namespace llamavisor {
namespace {

constexpr std::size_t kMaxFileBytes = 256U << 10U;

// The rest of the line that begins with `start`.
std::optional<std::string_view> line_after(std::string_view text, std::string_view start) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(start)) {
      return line.substr(start.size());
    }
    at = end + 1;
  }
  return std::nullopt;
}

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number out{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc{} ? std::optional(out) : std::nullopt;
}

// The field of that index, blanks between them.
std::string_view field(std::string_view text, std::size_t index) {
  std::size_t at = text.find_first_not_of(' ');
  for (; at != std::string_view::npos && index > 0; --index) {
    at = text.find_first_not_of(' ', std::min(text.find(' ', at), text.size()));
  }
  return at == std::string_view::npos ? std::string_view() : text.substr(at, text.find(' ', at) - at);
}

}  // namespace

std::optional<std::string> read_small_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return std::nullopt;
  }
  std::string out;
  std::array<char, 4096> piece{};
  while (out.size() < kMaxFileBytes) {
    const ssize_t n = ::read(fd.get(), piece.data(), std::min(piece.size(), kMaxFileBytes - out.size()));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return std::nullopt;
    }
    if (n == 0) {
      break;
    }
    out.append(piece.data(), static_cast<std::size_t>(n));
  }
  return out;
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::nullopt : parse<std::uint64_t>(text.substr(start));
}

std::optional<std::uint64_t> kb_line(std::string_view text, std::string_view name) {
  const auto rest = line_after(text, std::string(name) + ":");
  const auto kilobytes = rest ? leading_number(*rest) : std::nullopt;
  return kilobytes && *kilobytes < (1ULL << 50U) ? std::optional(*kilobytes * 1024) : std::nullopt;
}

std::optional<double> pressure_avg10(std::string_view text, std::string_view line) {
  const auto rest = line_after(text, std::string(line) + " avg10=");
  return rest ? parse<double>(*rest) : std::nullopt;
}

std::optional<StatFields> parse_stat(std::string_view stat) {
  const std::size_t bracket = stat.rfind(')');
  if (bracket == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view rest = stat.substr(bracket + 1);  // begins with field 3
  const auto parent = parse<int>(field(rest, 4 - 3));
  const auto started = parse<std::uint64_t>(field(rest, 22 - 3));
  return parent && started ? std::optional(StatFields{*parent, *started}) : std::nullopt;
}

std::vector<std::string> split_nul(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace llamavisor
