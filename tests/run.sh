#!/usr/bin/env bash
# Installs what is missing, gets the real Ollama servers (cached), checks the sources, builds, and runs every test
# with ctest, whose closing line is the last thing printed when all is well. Any failure: a summary and exit code 1.
#
# usage: tests/run.sh [--quick] [--newest] [--filter REGEX] [--list]
#   --quick         build dev only and one Ollama (0.32.5): no release, sanitizer or clang build, no Ollama 0.24.0
#   --newest        run against Ollama 0.32.15 too (its llama-server is compiled once: some 20 minutes)
#   --filter REGEX  only the tests whose name matches
#   --list          build, then list the tests instead of running anything
#
# Builds lie in build/<preset>; servers and the results of clang-tidy in $XDG_CACHE_HOME/llamavisor.
# clang-tidy runs without its path analyser here; tests/tidy.py --deep runs it, in half an hour.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/lib.sh
. packaging/lib.sh

quick=no newest=no filter="" list=no
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes ;;
    --newest) newest=yes ;;
    --filter) filter=$(value_of "$@"); shift ;;
    --list) list=yes ;;
    -h | --help) usage_of "$0"; exit 0 ;;
    *) die "unknown option $1" "see --help" ;;
  esac
  shift
done
jobs=$(build_jobs)
# Objects are shared between checkouts: paths below this one are cached as relative ones.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# --- stages: each says how long it took; a failed one is remembered and the next one runs ---------------------
failed=() not_run=() began=$SECONDS
stage() {
  local name=$1 start=$SECONDS
  shift
  say "$name"
  if "$@" >&2; then
    note "$name: ok, $((SECONDS - start)) s"
  else
    note "$name: FAILED, $((SECONDS - start)) s"
    failed+=("$name")
    return 1
  fi
}
leave_out() { note "$1: not run: $2"; not_run+=("$1 ($2)"); }
give_up() {
  local name
  for name in "${not_run[@]}"; do printf 'not run: %s\n' "$name"; done
  for name in "${failed[@]}"; do printf 'FAILED: %s\n' "$name"; done
  exit 1
}

# Files of the checkout that match the patterns, new ones included; without git, by name.
files() {
  local pattern names=()
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r pattern; do
      if [ -f "$pattern" ]; then printf '%s\n' "$pattern"; fi
    done
    return
  fi
  for pattern in "$@"; do names+=(-o -path "./${pattern}"); done
  find . -path ./build -prune -o -type f \( -false "${names[@]}" \) -print | sed 's|^\./||'
}

# --- sources --------------------------------------------------------------------------------------------------
check_format() { files '*.h' '*.c' '*.cpp' | xargs -r clang-format-14 --dry-run -Werror; }
check_scripts() { files '*.sh' '.ci/run' | xargs -r shellcheck -x; }

# --- builds and tests -----------------------------------------------------------------------------------------
# ThreadSanitizer of these compilers stops at start where the kernel randomises more than 28 bits of an address.
in_reach() {
  if [ "$1" = tsan ] && [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ]; then
    setarch "$(uname -m)" -R "${@:2}"
  else
    "${@:2}"
  fi
}
build() {
  in_reach "$1" cmake --preset "$1" --log-level=NOTICE &&
    in_reach "$1" cmake --build --preset "$1" -j "$jobs"
}
run_tests() {  # PRESET [CTEST-OPTION…]
  local preset=$1
  shift
  [ -z "$filter" ] || set -- "$@" -R "$filter"
  in_reach "$preset" ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-label-summary "$@"
}

# CMake reads them when it configures: one e2e test for each file and era.
export LLV_ERAS="B C"
[ "$quick" = no ] || LLV_ERAS="C"
[ "$newest" = no ] || LLV_ERAS+=" N"

stage "packages" packaging/install-deps.sh --build --test || give_up
if [ "$list" = yes ]; then
  build dev >&2
  run_tests dev -N
  exit 0
fi

get_server() {  # VARIABLE VERSION
  local path
  path=$(packaging/get-ollama.sh --version "$2" | tail -n 1) && [ -x "$path" ] || return 1
  export "$1=$path"
}
stage "Ollama 0.32.5" get_server LLV_OLLAMA_C 0.32.5 || give_up
[ "$quick" = yes ] || stage "Ollama 0.24.0" get_server LLV_OLLAMA_B 0.24.0 || give_up
if [ "$newest" = yes ]; then
  stage "Ollama 0.32.15" get_server LLV_OLLAMA_N 0.32.15 || give_up
fi

get_clients() {
  local paths
  mapfile -t paths < <(tests/clients.sh)
  [ "${#paths[@]}" = 2 ] || return 1
  export LLV_CLIENTS_PYTHON=${paths[0]} LLV_CLIENTS_NODE=${paths[1]}
}
stage "real clients" get_clients || give_up

stage "layers" tests/check_layers.sh || true
stage "shellcheck" check_scripts || true
if have clang-format-14; then stage "clang-format" check_format || true
else leave_out "clang-format" "this release has no clang-format-14"; fi

presets=(dev)
[ "$quick" = yes ] || presets=(release asan tsan clang dev)
built=" "
for preset in "${presets[@]}"; do
  if [ "$preset" = clang ] && ! have clang++-14; then
    leave_out "build clang" "this release has no clang-14"
  elif stage "build $preset" build "$preset"; then
    built+="$preset "
  fi
done
if ! have clang-tidy-14; then leave_out "clang-tidy" "this release has no clang-tidy-14"
elif [[ $built == *" dev "* ]]; then stage "clang-tidy" tests/tidy.py --jobs "$jobs" || true; fi

export UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp"
for preset in asan tsan; do
  [[ $built != *" $preset "* ]] || stage "tests $preset" run_tests "$preset" -L sanitize || true
done

# Last, so that its closing line closes the output.
[[ $built == *" dev "* ]] || give_up
say "every test of build/dev ($((SECONDS - began)) s so far)"
for name in "${not_run[@]}"; do note "not run: $name"; done
run_tests dev --no-tests=error || failed+=("tests dev")
[ ${#failed[@]} = 0 ] || give_up
