#!/usr/bin/env bash
# Fails when regenerating changed a committed file, or made one that is not committed.
set -euo pipefail
cd "$(dirname "$0")/.."
paths=(internal/arrapi internal/streampb web/packages/client/src/gen)
if [ -n "$(git status --porcelain -- "${paths[@]}")" ]; then
	git --no-pager diff --stat -- "${paths[@]}"
	git status --short -- "${paths[@]}"
	echo "Generated code is out of date: run 'make generate' and commit the result." >&2
	exit 1
fi
