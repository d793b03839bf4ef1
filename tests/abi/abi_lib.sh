# shellcheck shell=bash
# What check_abi.sh and freeze_abi.sh share.

# Every LLV_* macro behind the headers in $2 as the preprocessor defines it, one a line, sorted. libabigail does
# not see macros, and the codes, key types, bits, role ids and the magic number are macros.
macros() {  # CC INCLUDE_DIR
  printf '#include <llamavisor/abi.h>\n' | "$1" -I"$2" -dM -E - | grep '^#define LLV_' | LC_ALL=C sort
}
minor_of() {  # CC INCLUDE_DIR
  macros "$1" "$2" | sed -n 's/^#define LLV_ABI_MINOR //p'
}
