// Value-or-error. Every fallible function of llamavisor returns Result<T>; exceptions are for
// programming errors only and are caught once, in main.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace llamavisor {

// What failed and where (`message`), and what the user can do about it (`hint`, may be empty).
struct Error {
  std::string message;
  std::string hint;

  Error() = default;
  explicit Error(std::string what, std::string mend = {}) : message(std::move(what)), hint(std::move(mend)) {}

  // The same error seen from one level up: "starting the server: exec failed: ...".
  [[nodiscard]] Error within(std::string_view context) const {
    return Error(std::string(context) + ": " + message, hint);
  }
  // One line for logs and terminals.
  [[nodiscard]] std::string text() const { return hint.empty() ? message : message + " (" + hint + ")"; }
};

// Called by result<T>::value() on an error: using a value unchecked is a programming error.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;

// A Result that holds a value. Needed where T is a string, which could be an Error's text as well.
template <class T>
Result<std::decay_t<T>> ok(T&& value) {
  return Result<std::decay_t<T>>(boost::system::in_place_value, std::forward<T>(value));
}

}  // namespace llamavisor
