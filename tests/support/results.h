// REQUIRE(result) shows the error's text when it fails.
#pragma once

#include <string>

#include "base/result.h"
#include "support/catch.h"

namespace Catch {

template <class T>
struct StringMaker<llamavisor::Result<T>> {
  static std::string convert(const llamavisor::Result<T>& result) {
    return result.has_value() ? "a value" : "error: " + result.error().text();
  }
};

}  // namespace Catch
