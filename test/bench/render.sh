#!/usr/bin/env bash
# Prints CPU and wall milliseconds a 720p frame of the CPU renderer, for three sizes, textured and not, SIMD and scalar.
set -euo pipefail
cd "$(dirname "$0")/../.."

echo "## Renderer: 64 objects, 1280x720, orbit of 1 degree a frame (internal/render/cpu, BenchmarkFrame)"
go test -run '^$' -bench BenchmarkFrame -benchtime "${RENDER_BENCH_FRAMES:-40}x" ./internal/render/cpu | awk '
  BEGIN { print "| scene | CPU ms/frame | wall ms/frame |"; print "|---|---|---|" }
  /^BenchmarkFrame/ { sub("BenchmarkFrame/", "", $1); sub("-[0-9]+$", "", $1); printf "| %s | %s | %.1f |\n", $1, $5, $3 / 1e6; n++ }
  /FAIL/ { bad = 1 }
  END { exit bad || !n }'
echo
echo "## Clusters: CPU seconds a million triangles (internal/mesh, BenchmarkBuild; 980 k triangles)"
go test -run '^$' -bench BenchmarkBuild/980k -benchtime 3x ./internal/mesh | awk '/^BenchmarkBuild/ { printf "%.2f s wall\n", $3 / 1e9 / 0.98; n++ } END { exit !n }'
