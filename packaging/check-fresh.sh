#!/usr/bin/env bash
# Proves the two commands of the README on a bare system: makes a Debian tree with debootstrap (no compiler, no Go,
# no Python in it), clones HEAD into it and runs, inside a chroot with its own processes and mounts,
# packaging/quickstart.sh twice, one request, and tests/run.sh. Wants root and some 15 GB in $TMPDIR (or /var/tmp);
# takes half an hour and more. Nothing stays behind: processes and mounts end with their namespace, the tree goes.
#
# usage: check-fresh.sh [--suite bookworm|trixie] [--user NAME] [--full] [--no-tests] [--keep]
#   --suite SUITE  default bookworm
#   --user NAME    run as this user, made in the tree with the right to sudo (default: as root)
#   --full         tests/run.sh in full (default: tests/run.sh --quick)
#   --no-tests     quickstart only
#   --keep         leave the tree, to look into it
#
# The tree reaches registries as this machine does: apt's mirror and Acquire settings, the certificates, the
# configuration of pip, npm and Go, and the variables of proxies and registries are taken over.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
# shellcheck source=packaging/lib.sh
. "$here/lib.sh"

suite=bookworm user=root tests=--quick keep=no
while [ $# -gt 0 ]; do
  case $1 in
    --suite) suite=$(value_of "$@"); shift ;;
    --user) user=$(value_of "$@"); shift ;;
    --full) tests=--full ;;
    --no-tests) tests=none ;;
    --keep) keep=yes ;;
    -h | --help) usage_of "$0"; exit 0 ;;
    *) die "unknown option $1" "see --help" ;;
  esac
  shift
done
case $suite in bookworm | trixie) ;; *) die "no suite $suite" "bookworm or trixie" ;; esac
[ "$(id -u)" = 0 ] || die "debootstrap and chroot want root" "sudo $0"
have debootstrap || as_root apt-get install -y -qq --no-install-recommends debootstrap >&2 ||
  die "debootstrap could not be installed" "apt-get install debootstrap"
mirror=$(apt_mirror)
[ -n "$mirror" ] || die "this machine's apt sources name no archive of its own release" "see apt-get indextargets"

tree=$(mktemp -d "${TMPDIR:-/var/tmp}/llamavisor-fresh.XXXXXX")
clean_up() {
  if [ "$keep" = yes ]; then note "the tree stays: $tree"; return; fi
  if grep -q " $tree/" /proc/mounts; then note "something is still mounted in $tree; not removing it"; return; fi
  rm -rf --one-file-system "$tree"
}
trap clean_up EXIT
chmod 755 "$tree"  # it becomes the root folder of users other than root

quietly "a bare $suite tree in $tree" "$tree.log" \
  debootstrap --variant=minbase "$suite" "$tree" "$mirror" || die "debootstrap failed" "see $tree.log"
rm -f "$tree.log"
for tool in g++ go python3 curl; do
  [ ! -e "$tree/usr/bin/$tool" ] || die "the tree is not bare: it has $tool" "check the arguments of debootstrap"
done

# --- the way to the registries --------------------------------------------------------------------------------
give() { [ ! -f "$1" ] || install -D -m 644 "$1" "$tree$2"; }
home=/root
[ "$user" = root ] || home=/home/$user

take_over_apt() {
  # shellcheck disable=SC2016 # apt expands these, not the shell
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
    awk -v from="$(os_codename)" -v to="$suite" \
      '$2 ~ "^" from && $3 == "main" { sub(from, to, $2); print "deb", $1, $2, $3 }' >"$tree/etc/apt/sources.list"
  apt-config dump | grep -E '^Acquire::(https?|ftp|Check-|Retries|ForceIP)' >"$tree/etc/apt/apt.conf.d/90host" || true
}
take_over_files() {
  local file
  give /etc/resolv.conf /etc/resolv.conf
  give /etc/hosts /etc/hosts
  give /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
  for file in /usr/local/share/ca-certificates/*.crt; do give "$file" "$file"; done
  give /etc/pip.conf /etc/pip.conf
  give /etc/npmrc /etc/npmrc
  give "$HOME/.config/pip/pip.conf" "$home/.config/pip/pip.conf"
  give "$HOME/.npmrc" "$home/.npmrc"
}
# Variables whose value is a path count only when the tree has that path.
take_over_variables() {
  local name value pattern
  pattern='^(https?_proxy|HTTPS?_PROXY|all_proxy|ALL_PROXY|no_proxy|NO_PROXY|PIP_[A-Z_]+|GOPROXY|GOSUMDB|GONOSUMDB'
  pattern+='|GOPRIVATE|GOINSECURE|NPM_CONFIG_[A-Z_]+|npm_config_[a-z_]+|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR'
  pattern+='|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|GIT_SSL_CAINFO)$'
  while IFS='=' read -r name value; do
    [[ $name =~ $pattern ]] || continue
    if [[ $value = /* ]] && [ ! -e "$tree$value" ]; then continue; fi
    printf 'export %s=%q\n' "$name" "$value"
  done < <(env)
  if have go; then
    for name in GOPROXY GOSUMDB GONOSUMDB; do printf 'export %s=%q\n' "$name" "$(go env $name)"; done
  fi
}
say "taking over the way to the registries"
take_over_apt
take_over_files
take_over_variables >"$tree/etc/fresh.env"
chmod 644 "$tree/etc/fresh.env"

# --- what happens inside --------------------------------------------------------------------------------------
# The chroot shares this machine's network; where Ollama's port is taken, another one is asked for.
listen=""
if (exec 3<>/dev/tcp/127.0.0.1/11434) 2>/dev/null; then
  listen=127.0.0.1:11534
  note "port 11434 is taken on this machine; using $listen"
fi
clone_checkout() { git -c safe.directory='*' clone -q --no-hardlinks "file://$root" "$tree$home/llamavisor"; }
make_user() {
  chroot "$tree" apt-get update -qq
  chroot "$tree" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends sudo
  chroot "$tree" useradd -m -s /bin/bash "$user"
  printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$user" >"$tree/etc/sudoers.d/$user"
  # What install-deps.sh calls through sudo keeps the way to the registries.
  printf 'Defaults env_keep += "http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY"\n' >>"$tree/etc/sudoers.d/$user"
  chmod 440 "$tree/etc/sudoers.d/$user"
}
[ "$user" = root ] || quietly "making user $user, who may sudo" "$tree/var/log/user.log" make_user ||
  die "the user could not be made" "see above"
quietly "cloning HEAD" "$tree/var/log/clone.log" clone_checkout || die "git clone failed" "is $root a git checkout?"
[ "$user" = root ] || chroot "$tree" chown -R "$user:$user" "$home"

cat >"$tree/etc/fresh-run" <<'RUN'
#!/bin/bash
# Runs inside the tree as the chosen user: the README's commands, then a look at what they left.
set -euo pipefail
. /etc/fresh.env
step() { printf '\n##### %s\n' "$*"; }
cd ~/llamavisor
step "packaging/quickstart.sh"
packaging/quickstart.sh | tee ~/first.txt
step "packaging/quickstart.sh, the second time"
packaging/quickstart.sh 2>&1 | tee ~/second.txt
grep -q 'running already' ~/second.txt || { echo "the second run did not find the first"; exit 1; }
step "the printed request"
request=$(sed -n 's/^  \(curl .*\)$/\1/p' ~/first.txt)
answer=$(bash -c "$request")
printf '%s\n' "$answer"
grep -q '"done":true' <<<"$answer"
case $1 in
  --quick) step "tests/run.sh --quick"; tests/run.sh --quick ;;
  --full) step "tests/run.sh"; tests/run.sh ;;
esac
step "stopping it"
pid=$(sed -n 's/^  stop .*kill \([0-9]*\)$/\1/p' ~/first.txt)
kill "$pid"
for _ in $(seq 300); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
[ ! -d "/proc/$pid" ] || { echo "llamavisor (pid $pid) did not end within 30 s"; exit 1; }
if grep -lE '^(ollama|llama-server)' /proc/[0-9]*/comm 2>/dev/null; then echo "a server outlived llamavisor"; exit 1; fi
step "all well"
RUN
chmod 755 "$tree/etc/fresh-run"
# The first process of the new PID namespace: when it ends, the kernel ends all others and drops the mounts.
cat >"$tree/etc/fresh-init" <<'INIT'
#!/bin/bash
set -euo pipefail
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
user=$1 listen=$2 tests=$3
clean=(env -i "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 "TERM=${TERM:-dumb}")
[ -z "$listen" ] || clean+=("OLLAMA_HOST=$listen")
home=$(getent passwd "$user" | cut -d: -f6)
exec_as=()
[ "$user" = root ] || exec_as=(setpriv --reuid "$user" --regid "$user" --init-groups)
rc=0
"${exec_as[@]}" "${clean[@]}" "HOME=$home" "USER=$user" "LOGNAME=$user" /etc/fresh-run "$tests" || rc=$?
exit "$rc"
INIT
chmod 755 "$tree/etc/fresh-init"

say "entering the tree as $user"
began=$SECONDS rc=0
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --pid --fork --kill-child --propagation private bash -c '
  set -e
  mount --rbind /dev "$1/dev"
  mount --rbind /sys "$1/sys"
  exec chroot "$1" /etc/fresh-init "$2" "$3" "$4"' _ "$tree" "$user" "$listen" "$tests" || rc=$?
[ "$rc" = 0 ] || die "a fresh $suite as $user fails after $((SECONDS - began)) s (exit code $rc; the step is above)" \
  "run it again with --keep to look into the tree"
say "a fresh $suite as $user: all well, $((SECONDS - began)) s"
