#!/usr/bin/env bash
# What an eviction call costs, in this process and isolated, as a table: tests/bench/plugin_call.cpp, optimised.
#
# usage: tests/bench/plugin_call.sh [MODELS] [CALLS]   (100 models, 20000 calls of each kind)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_FLAGS="-O2 -DNDEBUG" -DCMAKE_C_FLAGS="-O2 -DNDEBUG" \
  --log-level=ERROR >&2
cmake --build build/bench --target plugin_call_bench >&2
exec build/bench/bin/plugin_call_bench "$@"
