# shellcheck shell=bash
# Helpers shared by the scripts of packaging/ and tests/run.sh. Sourced, never run.
# Messages go to stderr, so that a script's stdout can be its answer.

# Progress and failure. Every failure names what to do: die WHAT WHAT_TO_DO.
say() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '       %s\n' "${@:2}" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# usage_of FILE: the comment block at the top of a script is its --help.
usage_of() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$1"; }

# The value of an option, or a failure when it is missing: value_of --opt "$@" (the rest of the arguments).
value_of() {
  if [ $# -lt 2 ] || [ -z "$2" ]; then die "option $1 wants a value" "see --help"; fi
  printf '%s' "$2"
}

llv_cache() { printf '%s/llamavisor' "${XDG_CACHE_HOME:-$HOME/.cache}"; }

# quietly TITLE LOG COMMAND…: runs the command with its output in LOG, says every 30 s that it still works, and
# shows the end of LOG when it fails. For steps whose output is only of interest when they fail.
# The command stays in the foreground, so that Ctrl-C reaches it; the reporter ends with this shell.
quietly() {
  local title=$1 log=$2 start=$SECONDS reporter rc=0
  shift 2
  say "$title"
  (
    exec 9>&-  # where scripts hold their lock
    next=30
    while sleep 1 && kill -0 $$ 2>/dev/null; do
      if [ $((SECONDS - start)) -ge $next ]; then
        note "still at it after $next s: $(tail -n 1 "$log" | cut -c1-100)"
        next=$((next + 30))
      fi
    done
  ) &
  reporter=$!
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  kill "$reporter" 2>/dev/null || true
  wait "$reporter" 2>/dev/null || true
  if [ "$rc" = 0 ]; then note "done in $((SECONDS - start)) s"; return 0; fi
  note "failed after $((SECONDS - start)) s (exit code $rc); the last lines:"
  tail -n 30 "$log" | sed 's/^/    | /' >&2
  return "$rc"
}

# as_root COMMAND…: runs it as root, through sudo when needed.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  have sudo || die "this needs root and there is no sudo: $*" "run that command as root, then start again"
  sudo "$@"
}

os_codename() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}"); }

# The address of the archive that this machine's own apt sources use for its release.
apt_mirror() {
  # shellcheck disable=SC2016 # apt expands these, not the shell
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v want="$(os_codename)" '$2 == want && $3 == "main" { print $1; exit }'
}

# A Go that can fetch the toolchain a module asks for (1.21 or newer): prints its path.
find_go() {
  local go version
  for go in go /usr/local/go/bin/go /usr/lib/go-1.*/bin/go /usr/lib/go/bin/go; do
    go=$(command -v "$go") || continue
    version=$(GOTOOLCHAIN=local "$go" env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
    if [ "${version:-0}" -ge 21 ]; then printf '%s' "$go"; return 0; fi
  done
  return 1
}

# Compilers at once: one for each core, as far as memory reaches (Boost.Asio takes about a gigabyte each).
build_jobs() {
  local cores gigabytes
  cores=$(nproc)
  gigabytes=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  if [ "${gigabytes:-1}" -lt "$cores" ]; then cores=$gigabytes; fi
  if [ "$cores" -lt 1 ]; then cores=1; fi
  printf '%s' "$cores"
}
