// What the terminal can show: colour, width, UTF-8; and tables. Thread: main.
#pragma once

#include <string>
#include <vector>

namespace llamavisor {

struct Terminal {
  bool colour = false;   // stdout is a terminal and NO_COLOR is not set
  bool unicode = false;  // the locale is UTF-8

  static Terminal detect();
  [[nodiscard]] std::string paint(const std::string& text, const char* sgr) const;
  // "████░░░" or "####---" for a share from 0 to 1.
  [[nodiscard]] std::string bar(double share, int width) const;
};

// Left-aligned columns with two spaces between them; the last may be of any length.
std::string table(const std::vector<std::vector<std::string>>& rows);
// Lines of at most `width` characters, broken at spaces, each starting with `indent`.
std::string wrapped(const std::string& text, std::size_t width, const std::string& indent);

}  // namespace llamavisor
