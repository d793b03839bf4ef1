#!/usr/bin/env bash
# From a checkout to a running llamavisor: installs missing packages, builds release, installs it, finds or gets
# Ollama, starts `llamavisor serve` with the profile that fits this machine, and plants a small demo model when
# there is none. Debian 12, Debian 13 and Ubuntu 24.04, as root or as a user with sudo. Safe to run again.
#
# usage: quickstart.sh [--prefix DIR] [--ollama PATH] [--no-start]
#   --prefix DIR   where to install (default: /usr/local for root, ~/.local for a user)
#   --ollama PATH  the Ollama binary to run (default: $LLAMAVISOR_OLLAMA, PATH, the usual places, else it is got)
#   --no-start     build and install only
#
# OLLAMA_HOST (address to listen on), OLLAMA_MODELS and other OLLAMA_* variables are honoured as Ollama does.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
# shellcheck source=packaging/lib.sh
. "$here/lib.sh"

prefix="" ollama="" start=yes arguments=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=$(value_of "$@"); shift ;;
    --ollama) ollama=$(value_of "$@"); shift ;;
    --no-start) start=no ;;
    -h | --help) usage_of "$0"; exit 0 ;;
    *) die "unknown option $1" "see --help" ;;
  esac
  shift
done

say "1/5 packages"
"$here/install-deps.sh" --build

# Under sudo everything but the packages is the user's: the build folder, the models, the running supervisor.
owner=$(stat -c %U "$root")
if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ] && [ "$owner" = "$SUDO_USER" ]; then
  say "going on as $SUDO_USER, who owns this checkout"
  mapfile -t kept < <(env | grep -E '^(OLLAMA_|LLAMAVISOR_|[a-z]+_proxy=|[A-Z]+_PROXY=)' || true)
  exec sudo -H -u "$SUDO_USER" -- env "${kept[@]}" "$here/quickstart.sh" "${arguments[@]}"
fi
[ -w "$root" ] || die "$root belongs to $owner and cannot be written" "run this as $owner, or from a checkout of your own"

if [ -z "$prefix" ]; then
  if [ "$(id -u)" = 0 ]; then prefix=/usr/local; else prefix=$HOME/.local; fi
fi
[[ $prefix = /* ]] || prefix=$PWD/$prefix
program=$prefix/bin/llamavisor
state=${XDG_STATE_HOME:-$HOME/.local/state}/llamavisor
mkdir -p "$state"

# --- build and install ----------------------------------------------------------------------------------------
writable() {  # the folder, or where it does not exist yet, the nearest one above it
  local dir=$1
  while [ ! -e "$dir" ]; do dir=$(dirname "$dir"); done
  [ -w "$dir" ]
}
configure() { cmake --preset release --compile-no-warning-as-error; }
compile() { cmake --build --preset release -j "$(build_jobs)"; }
install_program() {
  if writable "$prefix" && writable "$prefix/bin"; then cmake --install build/release --prefix "$prefix"; return; fi
  # The manifest goes back to the user, or the next install as the user could not write it.
  as_root sh -c "umask 022; cmake --install build/release --prefix \"\$1\" && chown $(id -u) build/release/install_manifest.txt" _ "$prefix"
}
cd "$root"
quietly "2/5 build, configuring" "$state/configure.log" configure ||
  die "CMake could not configure" "see $state/configure.log; then remove build/release and start again"
quietly "2/5 build, compiling (a few minutes the first time)" "$state/build.log" compile ||
  die "the build failed" "see $state/build.log"
quietly "2/5 build, installing to $prefix" "$state/install.log" install_program ||
  die "the install failed" "see $state/install.log, or name another folder: --prefix DIR"
[ -x "$program" ] || die "$program is missing after the install" "see $state/install.log"
if [ "$start" = no ]; then
  say "installed: $program (start it with: $program serve)"
  exit 0
fi

# --- Ollama ---------------------------------------------------------------------------------------------------
is_ollama() { [ -n "$1" ] && [ -x "$1" ] && OLLAMA_HOST=127.0.0.1:1 timeout 30 "$1" --version 2>&1 | grep -q 'version is'; }
find_ollama() {
  local candidate cached
  if [ -n "$ollama" ]; then
    is_ollama "$ollama" || die "--ollama $ollama is not an Ollama that runs here" "name the ollama binary itself"
    return
  fi
  mapfile -t cached < <(printf '%s\n' "$(llv_cache)"/ollama-*/bin/ollama | sort -Vr)
  for candidate in "${LLAMAVISOR_OLLAMA:-}" "$(command -v ollama || true)" /usr/local/bin/ollama /usr/bin/ollama \
    /opt/ollama/bin/ollama "$HOME/.local/bin/ollama" "${cached[@]}"; do
    if is_ollama "$candidate"; then ollama=$candidate; return; fi
  done
  note "none found; getting one"
  ollama=$("$here/get-ollama.sh" | tail -n 1)
  [ -x "$ollama" ] || die "no Ollama could be got" "install one and name it: --ollama PATH"
}

# --- start ----------------------------------------------------------------------------------------------------
log=$state/quickstart.log
answers() { "$program" status --json >"$state/status.json" 2>/dev/null; }
text_of() { grep -oE "\"$1\" *: *\"[^\"]*\"" "$state/status.json" | head -n 1 | sed -E 's/^[^:]*: *"(.*)"$/\1/'; }
number_of() { grep -oE "\"$1\" *: *[0-9]+" "$state/status.json" | head -n 1 | grep -oE '[0-9]+$'; }
start_failed() {
  tail -n 15 "$log" | sed 's/^/    | /' >&2
  die "$1" "the whole log: $log" \
    "port taken by another Ollama? stop that one, or listen elsewhere: OLLAMA_HOST=127.0.0.1:11435 $0"
}
start_supervisor() {
  local pid deadline=$((SECONDS + 90))
  printf '\n--- %s quickstart\n' "$(date -Is)" >>"$log"
  setsid "$program" serve --profile auto --ollama "$ollama" </dev/null >>"$log" 2>&1 &
  pid=$!
  until answers; do
    kill -0 "$pid" 2>/dev/null || start_failed "llamavisor ended right after its start"
    [ "$SECONDS" -lt "$deadline" ] || start_failed "llamavisor (pid $pid) runs, but did not answer within 90 s"
    sleep 0.2
  done
}
api() { curl -fsS --noproxy '*' --max-time 60 "http://$listen$1"; }

if answers; then
  say "3/5 Ollama: in the hands of the supervisor that runs already"
  say "4/5 start: llamavisor is running already (pid $(number_of pid)); not starting a second"
  note "to run the build just installed, stop that one (kill $(number_of pid)) and start again"
else
  say "3/5 Ollama"
  find_ollama
  note "$ollama"
  say "4/5 start"
  start_supervisor
fi
listen=$(text_of listen)
api /api/version >/dev/null || start_failed "llamavisor does not answer on $listen"

# --- a model --------------------------------------------------------------------------------------------------
say "5/5 models"
first_model() { api /api/tags | grep -oE '"name" *: *"[^"]*"' | head -n 1 | sed -E 's/^[^:]*: *"(.*)"$/\1/' || true; }
model=$(first_model)
if [ -z "$model" ]; then
  models=${OLLAMA_MODELS:-$HOME/.ollama/models}
  note "none installed; planting a small demo model (it says the alphabet) in $models"
  "$prefix/lib/llamavisor/make-demo-model" "$models" demo --eos >/dev/null ||
    die "the demo model could not be written to $models" "check that the folder can be written"
  model=$(first_model)
  [ -n "$model" ] || die "Ollama does not see the demo model in $models" "does OLLAMA_MODELS name the folder that the server uses?"
fi

answers || start_failed "llamavisor no longer answers"
gigabytes() { awk -v bytes="$1" 'BEGIN { printf "%.1f GB", bytes / 1e9 }'; }
cat <<END

llamavisor is running (pid $(number_of pid)); Ollama's clients need no change.
  address  http://$listen
  profile  $(text_of profile)
  budget   $(gigabytes "$(number_of limit_bytes)") for all loaded models together
  status   $program status
  log      $log
  stop     kill $(number_of pid)

Try it:
  curl http://$listen/api/generate -d '{"model": "$model", "prompt": "hello there", "stream": false}'
END
[[ ":$PATH:" = *":$prefix/bin:"* ]] || printf '\nTo type just "llamavisor":\n  export PATH=%s\n' "$prefix/bin:\$PATH"
