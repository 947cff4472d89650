#!/usr/bin/env bash
# Generates the Go code of the REST contract from the OpenAPI documents beside this script.
set -euo pipefail
tools=$(cd "$(dirname "$0")/.." && cd "${TOOLS:-bin/tools}" && pwd)
cd "$(dirname "$0")"
out=../internal/arrapi
mkdir -p "$out/stsapi"
"$tools/oapi-codegen" -config arr/2021-01-01/oapi-codegen.yaml -o "$out/arrapi.gen.go" arr/2021-01-01/openapi.yaml
"$tools/oapi-codegen" -config sts/2019-02-28-preview/oapi-codegen.yaml -o "$out/stsapi/stsapi.gen.go" sts/2019-02-28-preview/openapi.yaml
