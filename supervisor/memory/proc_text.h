// Small kernel files and the texts in them. Thread: any; read_small_file blocks (files of the kernel: not
// for long), the rest is pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamavisor {

// Absent: not there, not readable, or gone while it was read. At most 256 KiB are read.
std::optional<std::string> read_small_file(const std::string& path);

// The number at the start of a text, blanks before it aside; "max" and other words: absent.
std::optional<std::uint64_t> leading_number(std::string_view text);

// The line "Name:   123 kB" in bytes.
std::optional<std::uint64_t> kb_line(std::string_view text, std::string_view name);

// "some avg10=1.25 avg60=..." -> 1.25 for the line that begins with "some".
std::optional<double> pressure_avg10(std::string_view text, std::string_view line);

// Of /proc/PID/stat. The command's name may hold blanks and brackets; fields are counted behind it.
struct StatFields {
  int parent_pid = 0;
  std::uint64_t start_ticks = 0;  // field 22
};
std::optional<StatFields> parse_stat(std::string_view stat);

// The arguments of /proc/PID/cmdline.
std::vector<std::string> split_nul(std::string_view text);

}  // namespace llamavisor
