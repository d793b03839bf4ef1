// One lambda per alternative of a std::variant.
#pragma once

namespace llamavisor {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

}  // namespace llamavisor
