#!/usr/bin/env bash
# Generates internal/streampb from v1/stream.proto, with local plugins only: nothing is fetched.
set -euo pipefail
cd "$(dirname "$0")"
tools=$(cd "../../${TOOLS:-bin/tools}" && pwd)
PATH="$tools:$PATH" "$tools/buf" generate
