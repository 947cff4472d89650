#!/usr/bin/env bash
# Fetches the Draco decoder that internal/importer/gltf/draco embeds, through npm. It is committed: run this to check it,
# or to move to another version, whose hash and export names (draco.go) must then change along.
set -euo pipefail
version=1.5.7
sha256=712db3449ae2041d6e8a224c395bda6cedb49e51322fae38b7db9beb8b381889
to=$(cd "$(dirname "$0")/.." && pwd)/internal/importer/gltf/draco/draco_decoder_gltf.wasm

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm pack --silent "draco3dgltf@$version" >/dev/null
tar -xzf "draco3dgltf-$version.tgz" package/draco_decoder_gltf.wasm
echo "$sha256  package/draco_decoder_gltf.wasm" | sha256sum --check --quiet
cp package/draco_decoder_gltf.wasm "$to"
