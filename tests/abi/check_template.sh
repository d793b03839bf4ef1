#!/usr/bin/env bash
# Installs the SDK into a folder of its own, copies the template out of it as the guide says, builds it with
# find_package(llamavisor-sdk) and installs it.
set -euo pipefail
if [ "$#" -ne 3 ] || [ "$1" = --help ]; then
  printf 'usage: %s CMAKE SDK_BUILD_DIR CXX\n' "$0" >&2
  exit 2
fi
cmake=$1 sdk_build=$2 cxx=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$cmake" --install "$sdk_build" --prefix "$work/prefix" >/dev/null
cp -r "$work/prefix/share/llamavisor-sdk/template" "$work/my_policy"
"$cmake" -S "$work/my_policy" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_INSTALL_PREFIX="$work/prefix" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Wconversion -Werror"
"$cmake" --build "$work/build"
"$cmake" --install "$work/build"
"$(dirname "$0")/check_exports.sh" "$work/prefix/lib/llamavisor/plugins/my_policy.so"
lines=$(wc -l <"$work/my_policy/my_policy.cpp")
if [ "$lines" -ge 60 ]; then
  printf 'the template has %d lines: keep it under 60, it is read by newcomers\n' "$lines" >&2
  exit 1
fi
