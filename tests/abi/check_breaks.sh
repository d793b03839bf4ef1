#!/usr/bin/env bash
# Breaks the ABI on purpose in copies of its headers, and fails when a break passes what watches over it: abidiff
# and the macros (check_abi.sh), prefix_1_0.cpp and frozen_plugin_1_0.c. Says which of them saw which break.
set -euo pipefail
if [ "$#" -ne 3 ] || [ "$1" = --help ]; then
  printf 'usage: %s CC CXX INCLUDE_DIR\n' "$0" >&2
  exit 2
fi
cc=$1 cxx=$2 include=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings=(-Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Werror)

# Prints the names of the watchers that complain about the headers in $work/include.
watchers() {
  local flags=("-I$work/include" "${warnings[@]}")
  if ! "$cc" -shared -fPIC -g2 "${flags[@]}" "$here/witness.c" -o "$work/witness.so" 2>/dev/null ||
    ! "$here/check_abi.sh" "$cc" "$work/include" "$work/witness.so" >/dev/null 2>&1; then
    printf 'check_abi '
  fi
  "$cxx" -std=c++20 -fsyntax-only "${flags[@]}" "$here/prefix_1_0.cpp" 2>/dev/null || printf 'prefix '
  "$cc" -std=c11 -fsyntax-only -DFROZEN_ID='"x"' "${flags[@]}" -Werror=incompatible-pointer-types \
    "$here/frozen_plugin_1_0.c" 2>/dev/null || printf 'frozen_plugin '
}
copy_headers() { rm -rf "$work/include"; cp -r "$include" "$work/include"; }
break_it() {  # WHAT HEADER SED-EXPRESSION
  local header=$work/include/llamavisor/$2 seen
  copy_headers
  sed -i -E "$3" "$header"
  if cmp -s "$header" "$include/llamavisor/$2"; then
    printf '%s: the expression for it changes nothing in %s any more\n' "$1" "$2" >&2
    exit 1
  fi
  seen=$(watchers)
  if [ -z "$seen" ]; then
    printf '%s: nobody saw it\n' "$1" >&2
    exit 1
  fi
  printf '%-48s seen by %s\n' "$1" "$seen"
}

copy_headers
seen=$(watchers)
[ -z "$seen" ] || { printf 'the headers as they are do not pass: %s\n' "$seen" >&2; exit 1; }
break_it "two fields change places" snapshot.h 's/\brss_bytes\b/other/; s/\bsize_bytes\b/rss_bytes/; s/\bother\b/size_bytes/'
break_it "a field inserted in the middle" snapshot.h 's/^  uint64_t limit_bytes;/  uint64_t gpu_bytes;\n&/'
break_it "a field appended without a new minor" notify.h 's/^  uint64_t available_bytes;/&\n  uint64_t swap_bytes;/'
break_it "an error code renumbered" plugin.h 's/LLV_E_TIMEOUT \(-4\)/LLV_E_TIMEOUT (-14)/'
break_it "a key type renumbered" plugin.h 's/LLV_KEY_BOOL 4/LLV_KEY_BOOL 14/'
break_it "a known bit moved" snapshot.h 's/(HAS_RSS .* << )2/\112/'
break_it "a role with another id" notify.h 's|llv.notify/1|llv.notification/1|'
break_it "a field of another type of the same size" snapshot.h 's/double psi_full/uint64_t psi_full/'
break_it "a parameter of another type" eviction.h 's/double score/float score/'
break_it "a result of another type" plugin.h 's/uint64_t \(\*now_ns\)/double (*now_ns)/'
break_it "a parameter added" eviction.h 's/^ +llv_text\* error\);/llv_text* error, uint32_t more);/'
break_it "a function removed" plugin.h '/\(\*get_item\)/d'
break_it "the entry under another name" plugin.h 's/llv_entry llv_plugin_entry_v1;/llv_entry llv_plugin_entry;/'
