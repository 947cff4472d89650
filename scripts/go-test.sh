#!/usr/bin/env bash
# All Go tests. Unit tests run under the race detector; the tests under test/ start real programs and measure nothing,
# they run without it (the programs themselves are release builds) and one package at a time, since they share two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
unit=$(go list ./... | grep -v '/test/')
# The limits catch hangs only: on a machine with a load of ten, internal/render/cpu takes nine minutes.
# shellcheck disable=SC2086
go test -race -shuffle=on -timeout 45m $unit
go test -count=1 -timeout 45m -run TestAssets ./internal/mesh # millions of triangles: too slow for the race detector
go test -p 1 -count=1 -timeout 45m ./test/...
