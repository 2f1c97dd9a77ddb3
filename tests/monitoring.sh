#!/usr/bin/env bash
# Tests the chart's alerts with promtool, and on a cluster of its own the dashboard's queries on a Prometheus that scrapes
# the operator. Both programs are Debian's, unpacked into the cache and not installed: no service starts.
# PROMETHEUS names a folder that holds others; "monitoring.sh alerts" tests the alerts alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/steps.sh
source tests/steps.sh

tools=${PROMETHEUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/tools/prometheus}
if [[ ! -x $tools/promtool ]]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work" "$steps_log"' EXIT
	chmod 755 "$work"
	download() { (cd "$work" && apt-get download -q prometheus >&2); }
	download || { apt-get update -q >&2 && download; }
	dpkg-deb --extract "$work"/prometheus_*.deb "$work/files"
	mkdir -p "$tools"
	cp "$work"/files/usr/bin/{prometheus,promtool} "$tools/"
fi

"$tools/promtool" check rules charts/tlsdebug/files/alerts.yaml
"$tools/promtool" test rules tests/monitoring/alerts.test.yaml
[[ ${1:-} != alerts ]] || exit 0

cluster=monitoring-$$
down() {
	tests/cluster/down.sh "$cluster" >/dev/null 2>&1 || true
	rm -rf "$steps_log"
}
trap down EXIT
tests/cluster/up.sh "$cluster" >&2
images=$(tests/images/build.sh 2>/dev/null | tail -n 1)
tests/cluster/load.sh "$cluster" "$images/msr-1.tar"
binary=$(cluster_test_binary 2>/dev/null)
TLSDEBUG_PROMETHEUS=$tools/prometheus tests/cluster/enter.sh "$cluster" "$binary" monitoring::
