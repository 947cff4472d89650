#!/usr/bin/env bash
# Installs what the build, the tests and `make run` need and this machine lacks: Debian packages and npm packages.
# "deps.sh build" covers building and running, "deps.sh all" (the default) also the tests. Running it again does nothing. As a user without root it says what to install instead of failing half-way.
set -euo pipefail
cd "$(dirname "$0")/.."

# package:probe pairs; a probe that succeeds means that the package (or an equal) is there.
need=()
want() { # want PACKAGE PROBE...
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || need+=("$package")
}
has_lib() { ldconfig -p | grep -q "$1"; }
has_header() { echo "#include <$1>" | ${CC:-cc} -E - -o /dev/null; }
has_chromium() { command -v chromium || command -v google-chrome; }
has_firefox() { command -v firefox-esr || command -v firefox; }
has_azure() { /usr/bin/python3 -c 'import azure.mixedreality.remoterendering'; }

want gcc command -v "${CC:-cc}"
want libopenh264-dev has_lib libopenh264.so
want libvpx-dev has_lib libvpx.so
if [ "${1:-all}" = all ]; then
	want chromium has_chromium
	want firefox-esr has_firefox
	want iproute2 command -v ip
	want python3-azure has_azure
fi

if [ ${#need[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
	else
		echo "Please install these packages first: ${need[*]}" >&2
		echo "For example: sudo apt-get install --no-install-recommends ${need[*]}" >&2
		exit 1
	fi
fi

# npm packages: only when the lock file changed since the last install.
npm_ci() { # npm_ci DIRECTORY
	if [ -f "$1/package-lock.json" ] && ! cmp -s "$1/package-lock.json" "$1/node_modules/.heliograph-lock" 2>/dev/null; then
		(cd "$1" && npm ci --no-audit --no-fund --silent)
		cp "$1/package-lock.json" "$1/node_modules/.heliograph-lock"
	fi
}
npm_ci web
if [ "${1:-all}" = all ]; then
	npm_ci test/storage/azurite
fi
