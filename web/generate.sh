#!/usr/bin/env bash
# Generates the TypeScript messages from api/stream. Needs bin/tools/buf (make tools) and web/node_modules (make deps).
set -euo pipefail
cd "$(dirname "$0")"
"../${TOOLS:-bin/tools}/buf" generate ../api/stream --template buf.gen.yaml
