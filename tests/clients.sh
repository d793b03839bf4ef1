#!/usr/bin/env bash
# Gets the real clients from their registries into the cache folder, once: the Python packages ollama and openai,
# the npm package ollama. Prints two lines: the python that has them, and the folder of the node modules.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/llamavisor/clients
python=$cache/python/bin/python3
if ! "$python" -c 'import ollama, openai' 2>/dev/null; then
  mkdir -p "$cache"
  rm -rf "$cache/python"
  python3 -m venv "$cache/python" >&2
  "$python" -m pip install --quiet --disable-pip-version-check ollama openai >&2
fi
if ! [ -d "$cache/node/node_modules/ollama" ]; then
  mkdir -p "$cache/node"
  (cd "$cache/node" && npm install --silent --no-audit --no-fund --prefix . ollama >&2)
fi
printf '%s\n%s\n' "$python" "$cache/node"
