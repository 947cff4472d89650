#!/usr/bin/env bash
# Builds the developer tools pinned in tools/go.mod into bin/tools, once per version of that file.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${TOOLS:-bin/tools}
stamp=$(cat tools/go.mod tools/go.sum <(go version) | sha256sum | cut -c1-16)
[ "$(cat "$out/.stamp" 2>/dev/null)" = "$stamp" ] && exit 0
mkdir -p "$out"
# awk: the paths inside the tool ( ... ) block.
for tool in $(awk '/^tool \(/ {on = 1; next} /^\)/ {on = 0} on {print $1}' tools/go.mod); do
	name=$(basename "$tool")
	echo "building $name"
	go build -modfile=tools/go.mod -o "$out/$name" "$tool"
done
echo "$stamp" >"$out/.stamp"
