#!/usr/bin/env bash
# Tests the page of `tlsdebug diagnose --output html` in a headless Chromium. SCREENSHOTS=FOLDER writes pictures to look at.
# CHROMIUM names another browser that speaks the DevTools protocol.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
command -v "${CHROMIUM:-chromium}" >/dev/null || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
if ((${#missing[@]})); then
	if ((EUID != 0)); then
		echo "browser.sh: not root, and these Debian packages are missing: ${missing[*]}" >&2
		echo "Run it as root (sudo), or install them: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	install() { apt-get install -y -q --no-install-recommends "${missing[@]}" >&2; }
	install || { apt-get update -q >&2 && install; }
fi
cargo build --quiet --bin tlsdebug
TLSDEBUG=${TLSDEBUG:-${CARGO_TARGET_DIR:-target}/debug/tlsdebug} node --test --test-reporter spec tests/browser/*.test.mjs
