#!/usr/bin/env bash
# Installs the SDK into a folder of its own, lets `llamavisor plugin new` write a project of each role and
# language elsewhere, builds and installs it with find_package(llamavisor-sdk) as the guide says, and checks it.
set -euo pipefail
if [ "$#" -ne 5 ] || [ "$1" = --help ]; then
  printf 'usage: %s CMAKE SDK_BUILD_DIR LLAMAVISOR CC CXX\n' "$0" >&2
  exit 2
fi
cmake=$1 sdk_build=$2 llamavisor=$3 cc=$4 cxx=$5
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
mkdir "$work/home" "$work/run" "$work/elsewhere"
cd "$work/elsewhere"
run() { env HOME="$work/home" XDG_RUNTIME_DIR="$work/run" "$llamavisor" "$@"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

"$cmake" --install "$sdk_build" --prefix "$work/prefix" >/dev/null
for role in eviction context notify; do
  for language in c c++; do
    id=${role}_in_${language//+/p}
    run plugin new "$id" --role "$role" --lang "$language" >/dev/null
    flags="-Wall -Wextra -Wpedantic -Wconversion -Werror"
    "$cmake" -S "$id" -B "$id/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_INSTALL_PREFIX="$work/prefix" \
      -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" \
      --log-level=WARNING --no-warn-unused-cli >/dev/null
    "$cmake" --build "$id/build" >/dev/null
    "$cmake" --install "$id/build" >/dev/null
    said=$(run plugin check "$work/prefix/lib/llamavisor/plugins/$id.so")
    [[ $said == *"$id 0.1.0 ($role)"*"An instance was made and tried."* ]] || fail "plugin check said: $said"
    lines=$(cat "$id/$id".c* | wc -l)
    [ "$lines" -lt 60 ] || fail "the $role template in $language has $lines lines: newcomers read it, keep it under 60"
  done
done
"$here/check_exports.sh" "$work"/prefix/lib/llamavisor/plugins/*.so
if run plugin new eviction_in_c >/dev/null 2>&1; then fail "plugin new wrote over a folder"; fi
if run plugin new Bad-Name >/dev/null 2>&1; then fail "plugin new took a name that is no id"; fi
