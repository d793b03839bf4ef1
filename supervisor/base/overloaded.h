// One lambda per alternative of a std::variant.
#pragma once

namespace llamavisor {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;  // clang 14 wants it said

}  // namespace llamavisor
