#!/usr/bin/env bash
# Freezes the ABI of the current LLV_ABI_MINOR: copies the headers and describes the witness library into
# tests/abi/golden/1.MINOR. A golden that is there is never written again: released plugins depend on it.
set -euo pipefail
if [ "$#" -ne 1 ] || [ "$1" = --help ]; then
  printf 'usage: %s WITNESS.so (build/dev/lib/llamavisor/witness.so)\n' "$0" >&2
  exit 2
fi
witness=$1
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/abi/abi_lib.sh
. "$here/abi_lib.sh"
include=$here/../../sdk/include
golden=$here/golden/1.$(minor_of "${CC:-cc}" "$include")
if [ -e "$golden" ]; then
  printf '%s is frozen already: bump LLV_ABI_MINOR in sdk/include/llamavisor/plugin.h\n' "$golden" >&2
  exit 1
fi
mkdir -p "$golden/llamavisor"
cp "$include"/llamavisor/*.h "$golden/llamavisor/"
abidw --no-architecture --no-corpus-path --no-comp-dir-path --no-show-locs --no-parameter-names "$witness" |
  sed "s|path='[^']*'|path='witness.c'|" >"$golden/witness.abi"
printf 'frozen: %s\n' "$golden"
