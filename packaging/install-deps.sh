#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that llamavisor needs, and only those that are missing.
# Debian 12, Debian 13 and Ubuntu 24.04, as root or through sudo. Nothing missing: apt is not called at all.
#
# usage: install-deps.sh [--build] [--test] [--bench] [--archive] [--ollama] [--dry-run]
#   --build    compiler, CMake and libraries (the default when no set is named)
#   --test     what tests/run.sh needs besides
#   --bench    the proxies and the load generator that tests/bench compares with
#   --archive  what unpacks Ollama's release archive
#   --ollama   what builds Ollama from its Go module when the archive cannot be reached
#   --dry-run  print what is missing, one item a line, and install nothing
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=packaging/lib.sh
. "$here/lib.sh"

# An item is PACKAGE[|PACKAGE…][@COMMAND][?]: any of the packages will do, and so does the command in PATH; with ?
# it is left out where the release has no such package (tests/run.sh then names the check it cannot do).
toolchain="g++ cmake@cmake make@make ninja-build@ninja pkg-config@pkg-config git@git curl@curl ca-certificates"
declare -A packages_of=(
  [build]="$toolchain ccache@ccache libtomlplusplus-dev libcurl4-openssl-dev libspdlog-dev libfmt-dev
    libcli11-dev libsimdjson-dev libsqlite3-dev libssl-dev libseccomp-dev libsystemd-dev libzstd-dev scdoc@scdoc"
  [test]="abigail-tools@abidiff catch2 clang-14? clang-format-14? clang-tidy-14? dbus@dbus-run-session
    python3@python3 nodejs@node npm@npm shellcheck@shellcheck procps@pgrep"
  [bench]="haproxy@haproxy nginx-light|nginx@nginx wrk@wrk"
  [archive]="curl@curl ca-certificates zstd@zstd"
  [ollama]="$toolchain nlohmann-json3-dev libstb-dev libgomp1 python3@python3"
)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
available() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }
satisfied() {
  local item=${1%\?} package
  if [[ $item == *@* ]] && have "${item#*@}"; then return 0; fi
  item=${item%@*}
  for package in ${item//|/ }; do
    if installed "$package"; then return 0; fi
  done
  return 1
}

# Boost 1.81 or newer. bookworm's unversioned packages are 1.74, so 1.81 is named there; an installed newer one wins.
boost_items() {
  local version suffix=""
  for version in $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 'libboost1.*-dev' 2>/dev/null |
    sed -nE 's/^libboost1\.([0-9]+)-dev installed$/\1/p'); do
    [ "$version" -ge 81 ] && suffix=1.$version
  done
  [ -n "$suffix" ] || [ "$(os_codename)" != bookworm ] || suffix=1.81
  printf '%s\n' "libboost$suffix-dev" "libboost-filesystem$suffix-dev" "libboost-json$suffix-dev"
  # From 1.86 on Boost.Process is a compiled library with a package of its own.
  if [ -n "$suffix" ] && [ "${suffix#1.}" -lt 86 ]; then return; fi
  if available "libboost-process$suffix-dev"; then printf '%s\n' "libboost-process$suffix-dev"; fi
}

missing_of() {
  local item
  for item in "$@"; do
    satisfied "$item" || printf '%s\n' "$item"
  done | sort -u
}

# What a set lacks beyond plain items: Python's pip and venv may come with Python itself.
missing_python() {
  case $1 in
    test) python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv ;;
    ollama) python3 -m pip --version >/dev/null 2>&1 || echo python3-pip ;;
  esac
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_get() {  # TITLE ARGUMENTS…
  local title=$1
  shift
  quietly "$title" "$log" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -q "$@"
}
updated=no
apt_update() {
  [ "$updated" = no ] || return 0
  updated=yes
  apt_get "reading the package lists" update || die "apt-get update failed" "check /etc/apt/sources.list* and the network, then start again"
}

# Fills `chosen` with the first available package of each item; fails at an item that has none.
choose_all() {
  local item names package found
  chosen=()
  for item in "$@"; do
    names=${item%\?}
    names=${names%@*}
    found=""
    for package in ${names//|/ }; do
      if available "$package"; then found=$package; break; fi
    done
    if [ -n "$found" ]; then chosen+=("$found"); elif [[ $item != *\? ]]; then return 1; fi
  done
}

# --no-remove: a package that would push another one off the machine is the user's decision.
apt_install() {
  local title="installing $# packages: $*"
  apt_get "$title" install -y --no-install-recommends --no-remove "$@" && return 0
  apt_update
  apt_get "$title" install -y --no-install-recommends --no-remove "$@" ||
    die "apt-get could not install: $*" "try it by hand to see why: apt-get install --no-install-recommends $*"
}

# Go from the release's backports, whose address comes from the machine's own apt sources; those stay as they are.
install_go_from_backports() {
  local codename mirror list package
  codename=$(os_codename)
  mirror=$(apt_mirror)
  [ "$(. /etc/os-release && echo "$ID")" = debian ] && [ -n "$mirror" ] || return 1
  list=$(mktemp)
  { cat /etc/apt/sources.list 2>/dev/null || true
    printf 'deb %s %s-backports main\n' "$mirror" "$codename"; } >"$list"
  chmod 644 "$list"
  local sources=(-o "Dir::Etc::SourceList=$list" -o APT::Get::List-Cleanup=0)
  apt_get "reading the package list of $codename-backports, for Go" update "${sources[@]}" || { rm -f "$list"; return 1; }
  package=$(apt-cache "${sources[@]}" search --names-only '^golang-1\.[0-9]+-go$' | cut -d' ' -f1 | sort -V | tail -n 1)
  apt_get "installing ${package:=golang-go} from $codename-backports" install "${sources[@]}" -y \
    --no-install-recommends --no-remove -t "$codename-backports" "$package" || { rm -f "$list"; return 1; }
  rm -f "$list"
}
install_go() {
  local package
  apt_update
  package=$(apt-cache search --names-only '^golang-1\.[0-9]+-go$' | cut -d' ' -f1 | sort -V | tail -n 1)
  if [ "$(sed -E 's/golang-1\.([0-9]+)-go/\1/' <<<"${package:-golang-1.0-go}")" -ge 21 ]; then
    apt_install "$package"
  else
    install_go_from_backports || true
  fi
  find_go >/dev/null ||
    die "no Go 1.21 or newer could be installed" "install one from your distribution or the Go project and put it in PATH"
}

sets=()
dry_run=no
while [ $# -gt 0 ]; do
  case $1 in
    --build | --test | --bench | --archive | --ollama) sets+=("${1#--}") ;;
    --dry-run) dry_run=yes ;;
    -h | --help) usage_of "$0"; exit 0 ;;
    *) die "unknown option $1" "see --help" ;;
  esac
  shift
done
[ ${#sets[@]} -gt 0 ] || sets=(build)
have apt-get || die "this system has no apt-get" \
  "install by hand what the lists at the top of packaging/install-deps.sh name"

items=() extra=() wants_go=no
for set in "${sets[@]}"; do
  read -ra words -d '' <<<"${packages_of[$set]}" || true
  items+=("${words[@]}")
  [ "$set" != build ] || mapfile -t -O "${#items[@]}" items < <(boost_items)
  mapfile -t -O "${#extra[@]}" extra < <(missing_python "$set")
  [ "$set" != ollama ] || find_go >/dev/null || wants_go=yes
done
mapfile -t missing < <(missing_of "${items[@]}")
missing+=("${extra[@]}")

if [ "$dry_run" = yes ]; then
  for item in "${missing[@]}"; do printf '%s\n' "$item"; done
  [ "$wants_go" = no ] || echo "golang (1.21 or newer)"
  exit 0
fi
if [ ${#missing[@]} -gt 0 ]; then
  choose_all "${missing[@]}" || { apt_update; choose_all "${missing[@]}"; } ||
    die "no package for one of: ${missing[*]%@*}" "Debian 12, Debian 13 and Ubuntu 24.04 (with universe) have them"
  [ ${#chosen[@]} = 0 ] || apt_install "${chosen[@]}"
fi
[ "$wants_go" = no ] || install_go
say "packages for ${sets[*]}: all there"
