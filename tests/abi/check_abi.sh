#!/usr/bin/env bash
# Fails when the plugin ABI is not the one that was frozen for its version: the golden headers and the golden .abi
# of the current minor must match exactly, and what an older minor promised must still be there. A wanted change
# bumps LLV_ABI_MINOR, is frozen by freeze_abi.sh and is told in sdk/ABI_CHANGES.md, all in one commit.
set -euo pipefail
if [ "$#" -ne 3 ] || [ "$1" = --help ]; then
  printf 'usage: %s CC INCLUDE_DIR WITNESS.so\n' "$0" >&2
  exit 2
fi
cc=$1 include=$2 witness=$3
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/abi/abi_lib.sh
. "$here/abi_lib.sh"
bad=0
complain() { printf 'ABI: %s\n' "$*" >&2; bad=1; }
command -v abidiff >/dev/null || { complain "abidiff is missing: install abigail-tools"; exit 1; }

minor=$(minor_of "$cc" "$include")
[ -d "$here/golden/1.$minor" ] || complain "no golden for 1.$minor: run tests/abi/freeze_abi.sh"
grep -q "^## 1\.$minor\$" "$here/../../sdk/ABI_CHANGES.md" || complain "sdk/ABI_CHANGES.md has no section 1.$minor"
while read -r struct; do
  grep -q "^$struct\* " "$here/witness.c" || complain "$struct is not in witness.c"
done < <(sed -n 's/^typedef struct \(llv_[a-z0-9_]*\) {$/\1/p' "$include"/llamavisor/*.h)

for golden in "$here"/golden/1.*/; do
  golden=${golden%/}
  was=${golden##*/1.}
  # Bits of abidiff's exit code: 1 error, 2 usage, 4 change, 8 incompatible change.
  report=$(abidiff --no-architecture "$golden/witness.abi" "$witness") && code=0 || code=$?
  if [ "$was" = "$minor" ]; then
    differ=$(diff <(macros "$cc" "$golden") <(macros "$cc" "$include")) || complain "macros changed within 1.$minor:" "$differ"
    [ "$code" = 0 ] || complain "types changed within 1.$minor (abidiff answered $code):" "$report"
  elif [ "$was" -gt "$minor" ]; then
    complain "there is a golden for 1.$was, the headers say 1.$minor"
  else
    gone=$(LC_ALL=C comm -23 <(macros "$cc" "$golden" | grep -v LLV_ABI_MINOR) <(macros "$cc" "$include"))
    [ -z "$gone" ] || complain "1.$was promised macros that are gone or differ:" "$gone"
    [ $((code & 11)) = 0 ] || complain "1.$was is not a part of 1.$minor (abidiff answered $code):" "$report"
  fi
done
[ "$bad" = 0 ] && printf 'ABI 1.%s is as frozen, older ones are parts of it: ok\n' "$minor"
exit "$bad"
