#!/usr/bin/env bash
# Fails unless each plugin library given exports llv_plugin_entry_v1 and nothing else. Anything more could be
# shared with another plugin or keep the library mapped after dlclose.
set -euo pipefail
if [ "$#" -eq 0 ] || [ "$1" = --help ]; then
  printf 'usage: %s PLUGIN.so...\n' "$0" >&2
  exit 2
fi
for plugin in "$@"; do
  exports=$(nm -D --defined-only "$plugin" | awk '{print $NF}')
  if [ "$exports" != llv_plugin_entry_v1 ]; then
    printf '%s exports:\n%s\nexpected only llv_plugin_entry_v1: build it with llamavisor_add_plugin()\n' \
      "$plugin" "$exports" >&2
    exit 1
  fi
done
printf '%d plugins export one symbol each: ok\n' "$#"
