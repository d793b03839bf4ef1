#!/usr/bin/env bash
# llamavisor, HAProxy, nginx and no proxy in front of one upstream, interleaved in one run, as a table of ratios.
#
# usage: tests/bench/gateway.sh [--rounds N] [--seconds N] [--streams N]
# Needs nginx, haproxy, wrk and python3 (packaging/install-deps.sh --bench) and build/release. The upstream is an
# nginx that plays the Ollama server; llamavisor starts and owns it as it would own the real one. Everything runs on
# loopback and ends with the script. Only ratios count: the load, the proxy and the upstream share the machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=3 seconds=3 streams=1000
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --streams) streams=$2; shift ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "gateway.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done
program=${LLV_PROGRAM:-$root/build/release/bin/llamavisor}
for tool in nginx haproxy wrk python3 "$program"; do
  command -v "$tool" >/dev/null || { echo "gateway.sh: $tool is missing (packaging/install-deps.sh --bench; cmake --preset release && cmake --build --preset release)" >&2; exit 1; }
done
work=$(mktemp -d) pids=()
chmod 755 "$work"  # nginx, started by root, reads it as another user
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
ulimit -n 20000 2>/dev/null || true
head -c 65536 /dev/zero >"$work/64k"

# The upstream: what `ollama serve` would be. llamavisor gives the address in OLLAMA_HOST.
cat >"$work/ollama" <<SH
#!/bin/sh
cat >"$work/upstream.conf" <<CONF
worker_processes 1; daemon off; pid $work/upstream.pid; error_log $work/upstream.err;
events { worker_connections 16384; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_body_buffer_size 64k;
  client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  server { listen \$OLLAMA_HOST backlog=8192; root $work; default_type application/json;
    location = /small { return 200 "$(printf 'x%.0s' $(seq 200))"; }
    location = /api/version { return 200 '{"version":"0.32.5"}'; }
    location = /api/ps { return 200 '{"models":[{"name":"bench:latest","model":"bench:latest","size":1000000,"context_length":4096}]}'; }
    location /api/ { return 200 '{"done":true}'; }
    location = /stream { proxy_pass http://127.0.0.1:$((19500)); proxy_buffering off; proxy_http_version 1.1; } } }
CONF
exec nginx -c "$work/upstream.conf" -e "$work/upstream.err"
SH
chmod +x "$work/ollama"
mkdir -p "$work/home" "$work/run"; chmod 700 "$work/run"
env -i PATH="$PATH" HOME="$work/home" XDG_RUNTIME_DIR="$work/run" OLLAMA_MODELS="$work/none" \
  "$program" serve --listen 127.0.0.1:19403 --ollama "$work/ollama" --limit 2GB >"$work/llamavisor.log" 2>&1 &
llamavisor=$!
pids+=("$llamavisor")
python3 "$here/paced_stream.py" serve 19500 & pids+=($!)
control() { env XDG_RUNTIME_DIR="$work/run" HOME="$work/home" "$program" "$@"; }
for _ in $(seq 100); do curl -sf -o /dev/null http://127.0.0.1:19403/api/version && break; sleep 0.1; done
upstream=$(control status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["server"]["port"])')

cat >"$work/haproxy.cfg" <<CFG
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:19401
  server upstream 127.0.0.1:$upstream
CFG
haproxy -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 & haproxy=$!; pids+=("$haproxy")
cat >"$work/nginx.conf" <<CONF
worker_processes 1; daemon off; pid $work/nginx.pid; error_log $work/nginx.err;
events { worker_connections 16384; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h;
  client_body_temp_path $work/b2; proxy_temp_path $work/p2; fastcgi_temp_path $work/f2; uwsgi_temp_path $work/u2; scgi_temp_path $work/s2;
  upstream up { server 127.0.0.1:$upstream; keepalive 128; }
  server { listen 127.0.0.1:19402 backlog=8192; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }
CONF
nginx -c "$work/nginx.conf" -e "$work/nginx.err" & nginx=$!; pids+=("$nginx")
cat >"$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"bench","options":{"num_ctx":2048},"messages":[{"role":"user","content":"' .. string.rep("x", 1960) .. '"}]}'
LUA
sleep 1
rss() { awk '/^VmRSS|^RssAnon/ {printf "%s%s", sep, $2; sep=" "}' "/proc/$1/status"; }
idle="llamavisor $(rss "$llamavisor") haproxy $(rss "$haproxy")"

declare -A port=([direct]=$upstream [haproxy]=19401 [nginx]=19402 [llamavisor]=19403)
for ((round = 1; round <= rounds; round++)); do
  for what in small 64k api/chat; do
    for who in direct haproxy llamavisor nginx; do
      script=()
      [ "$what" != api/chat ] || script=(-s "$work/post.lua")
      wrk -t1 -c32 "-d${seconds}s" --latency "${script[@]}" "http://127.0.0.1:${port[$who]}/$what" |
        python3 "$here/table.py" record "$who" "$what" >>"$work/results"
    done
  done
done
for who in direct haproxy llamavisor nginx; do
  python3 "$here/paced_stream.py" load "${port[$who]}" 1 "$who" >>"$work/streams"
done
before=$(rss "$llamavisor")
python3 "$here/paced_stream.py" load 19403 "$streams" "llamavisor, $streams at once" "$llamavisor" >>"$work/streams"
python3 "$here/table.py" print "$work/results"
echo
cat "$work/streams"
echo
echo "RSS and RssAnon in KiB, idle: $idle"
echo "RSS and RssAnon in KiB, after load: llamavisor $(rss "$llamavisor") (before the streams $before) haproxy $(rss "$haproxy")"
