#!/usr/bin/env bash
# Builds the web pages into internal/webui/dist when a source is newer than the last build.
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=$(find web -path '*/node_modules' -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
[ "$(cat internal/webui/dist/.stamp 2>/dev/null)" = "$stamp" ] && exit 0
(cd web && npm run --silent build)
echo "$stamp" >internal/webui/dist/.stamp
