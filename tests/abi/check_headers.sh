#!/usr/bin/env bash
# Compiles each SDK header alone: the C ABI as C11, C17, C++17 and C++20, the wrapper as C++17 and C++20, with
# every compiler given (pairs of a C and a C++ compiler). Warnings are errors, -Wpadded included for the ABI.
set -euo pipefail
if [ "$#" -lt 3 ] || [ "$1" = --help ]; then
  printf 'usage: %s INCLUDE_DIR CC CXX [CC CXX]...\n' "$0" >&2
  exit 2
fi
include=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checked=0
compile() {  # compiler, standard, header, extra flags...
  local compiler=$1 standard=$2 header=$3
  shift 3
  if ! "$compiler" "-std=$standard" -I"$include" -Wall -Wextra -pedantic -Wconversion -Wshadow -Werror "$@" \
    -fsyntax-only "$work/unit.${standard%%[0-9]*}"; then
    printf '%s does not compile as %s with %s: mend the header, the ABI promises it\n' \
      "$header" "$standard" "$compiler" >&2
    exit 1
  fi
  checked=$((checked + 1))
}
while [ "$#" -ge 2 ]; do
  for path in "$include"/llamavisor/*.h "$include"/llamavisor/*.hpp; do
    header=$(basename "$path")
    [ "$header" = plugin_glue.hpp ] && continue # a part of plugin.hpp
    # Included twice: the guard works.
    printf '#include <llamavisor/%s>\n#include <llamavisor/%s>\nint unit(void);\n' "$header" "$header" >"$work/unit.c"
    cp "$work/unit.c" "$work/unit.c++"
    if [[ $header == *.h ]]; then
      for standard in c11 c17; do compile "$1" "$standard" "$header" -Wpadded; done
      for standard in c++17 c++20; do compile "$2" "$standard" "$header" -Wpadded; done
    else
      for standard in c++17 c++20; do compile "$2" "$standard" "$header"; done
    fi
  done
  shift 2
done
printf 'headers compile in %d combinations: ok\n' "$checked"
