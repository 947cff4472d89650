#!/usr/bin/env bash
# Runs every benchmark and prints its table: control plane, renderer, asset pipeline, stream in a real browser.
# `make bench` builds first and sets HELIOGRAPH_BIN_DIR. The numbers of docs/benchmarks.md come from this command.
set -euo pipefail
cd "$(dirname "$0")/../.."

echo "## Machine"
echo "$(nproc) cores, $(awk -F ': ' '/model name/ {print $2; exit}' /proc/cpuinfo), $(go version | cut -d' ' -f3), load $(cut -d' ' -f1-3 /proc/loadavg)"
echo
go test -run "^$" -bench . -benchtime 1x -timeout 15m ./test/bench/control | grep -v "^goos\|^goarch\|^pkg\|^cpu\|^PASS\|^ok\|^Benchmark"
echo
test/bench/render.sh
echo
go test -run "^$" -bench . -benchtime 1x -timeout 30m ./test/bench/assets | grep '^[|#]'
echo
go test -run "^$" -bench Load -benchtime 1x -timeout 10m ./test/storage | grep '^[|#]'
echo
node test/bench/latency.mjs
