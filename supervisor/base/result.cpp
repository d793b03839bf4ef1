#include "base/result.h"

#include <stdexcept>

namespace llamavisor {

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) +
                         ": unchecked error: " + error.text());
}

}  // namespace llamavisor
