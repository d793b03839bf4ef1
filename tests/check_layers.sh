#!/usr/bin/env bash
# Fails when a folder of supervisor/ includes a folder of its own or a higher rank, when plugins/ see
# anything but sdk/, or when anything but plugin_host/ sees sdk/. Ranks: supervisor/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
declare -A rank=([base]=0 [domain]=1 [config]=2 [ollama]=3 [memory]=3 [store]=3 [ledger]=4 [forecast]=4
  [policy]=5 [plugin_host]=6 [actions]=6 [gateway]=7 [control]=7 [simulate]=7 [app]=8 [cli]=9)
bad=0
complain() { printf '%s\n' "$1" >&2; bad=1; }
while IFS=: read -r file _ line; do
  from=$(cut -d/ -f2 <<<"$file")
  [ "$file" = supervisor/main.cpp ] && continue
  to=$(sed -E 's|.*#include "([a-z_]+)/.*|\1|' <<<"$line")
  if [ -z "${rank[$from]:-}" ]; then complain "$file: folder $from has no rank"; continue; fi
  if [ -z "${rank[$to]:-}" ]; then complain "$file: includes $to, which has no rank"; continue; fi
  [ "$from" = "$to" ] && continue
  [ "${rank[$to]}" -lt "${rank[$from]}" ] || complain "$file (rank ${rank[$from]}) includes $to (rank ${rank[$to]})"
done < <(grep -rnE '#include "[a-z_]+/' supervisor --include='*.h' --include='*.cpp')
while IFS= read -r hit; do complain "$hit: only plugin_host sees the SDK"; done \
  < <(grep -rnE '#include <llamavisor/' supervisor --include='*.h' --include='*.cpp' | grep -v '^supervisor/plugin_host/' || true)
while IFS= read -r hit; do complain "$hit: plugins see only the SDK"; done \
  < <(grep -rnE '#include "' plugins sdk/template --include='*.cpp' --include='*.h' | grep -vE '"(llamavisor/|[a-z_]+\.h")' || true)
[ "$bad" = 0 ] && echo "folders include only lower ranks: ok"
exit "$bad"
