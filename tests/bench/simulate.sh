#!/usr/bin/env bash
# The table of packaging/docs/simulate.md: policies on the four made traces, each beside the offline bound.
#
# usage: tests/bench/simulate.sh [--seed N] [--limits 8GB,12GB,16GB] [--million]
#   --million  time a replay of one million requests instead
# Needs python3 and build/release (LLV_PROGRAM names another program). The figures are the same on every machine;
# only those of --million are this machine's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seed=1 limits=8GB,12GB,16GB million=no
while [ $# -gt 0 ]; do
  case $1 in
    --seed) seed=$2; shift ;;
    --limits) limits=$2; shift ;;
    --million) million=yes ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "simulate.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done
program=${LLV_PROGRAM:-$root/build/release/bin/llamavisor}
[ -x "$program" ] || { echo "simulate.sh: $program is missing (cmake --preset release && cmake --build --preset release)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A home of its own: the user's settings change no figure.
export XDG_CONFIG_HOME=$work XDG_STATE_HOME=$work

if [ "$million" = yes ]; then
  for policy in lru lfu largest gdsf ollama; do
    TIMEFORMAT="$policy: %R s, of these %U s of processor time"
    time "$program" simulate --make zipf --requests 1000000 --seed "$seed" --policy "$policy" --limit 12GB --json >"$work/out"
  done
  exit 0
fi
for kind in zipf day rag teams; do
  "$program" simulate --make "$kind" --seed "$seed" --limit "$limits" --json \
    --policy foresight,lru,lfu,largest,gdsf,ollama,ollama-order,ollama-cpu >"$work/$kind.json"
done
python3 -B - "$work" <<'PY'
import json, sys
kinds = ("zipf", "day", "rag", "teams")
runs = {k: json.load(open(f"{sys.argv[1]}/{k}.json")) for k in kinds}
bound = {k: sum(b["reload_s"] for b in runs[k]["bounds"]) for k in kinds}
policies = list(dict.fromkeys(r["policy"] for r in runs["zipf"]["results"]))
total = lambda p, key: sum(r[key] for k in kinds for r in runs[k]["results"] if r["policy"] == p)
of = lambda p, k: sum(r["reload_s"] for r in runs[k]["results"] if r["policy"] == p)
ollama, order, least = total("ollama", "reload_s"), total("ollama-order", "reload_s"), sum(bound.values())
print("| policy | " + " | ".join(kinds) + " | together | x bound | beside ollama | beside ollama-order | warm | loads | waited s | over budget |")
print("|---" * 13 + "|")
print("| (bound) | " + " | ".join(f"{bound[k]:.0f}" for k in kinds) + f" | {least:.0f} | 1 | | | | | | |")
for p in policies:
    t = total(p, "reload_s")
    over = max(r["over_budget_bytes"] for k in kinds for r in runs[k]["results"] if r["policy"] == p)
    ratio = "-" if over else f"{t / least:.2f}"
    print(f"| {p} | " + " | ".join(f"{of(p, k):.0f}" for k in kinds) + f" | {t:.0f} | {ratio} | {100 * (t / ollama - 1):+.0f} % | "
          f"{100 * (t / order - 1):+.0f} % | {100 * total(p, 'warm') / total(p, 'requests'):.1f} % | {total(p, 'loads')} | "
          f"{total(p, 'waited_s'):.0f} | {over / 2**30:.1f} GB |")
PY
