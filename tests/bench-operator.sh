#!/usr/bin/env bash
# Measures the operator of the chart, as its image has it, under many sessions at once, on a cluster of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/steps.sh
source tests/steps.sh

need_root bench-operator
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
cluster=bench-$$
cleanup() {
	tests/cluster/down.sh "$cluster" >/dev/null 2>&1 || true
	rm -rf "$steps_log"
}
trap cleanup EXIT
install() {
	tests/cluster/enter.sh "$cluster" helm install tlsdebug charts/tlsdebug --namespace tlsdebug --create-namespace \
		--set image.repository=tlsdebug.local/tlsdebug --wait --timeout 2m
}

echo 'The operator under load (about 12 minutes on two cores)'
step 'Kubernetes, etcd, CoreDNS, Helm' tests/cluster/build.sh
step 'Test image' tests/images/build.sh
images=$(tests/images/build.sh 2>/dev/null | tail -n 1)
step 'The operator and its image' tests/image.sh target/image
step 'Benchmark' cargo bench --quiet --profile dev --bench operator --no-run
step "Cluster $cluster" tests/cluster/up.sh "$cluster"
step 'Loading images' tests/cluster/load.sh "$cluster" "$images"/msr-1.tar target/image/tlsdebug.tar
step 'helm install tlsdebug charts/tlsdebug' install
tests/cluster/enter.sh "$cluster" cargo bench --quiet --profile dev --bench operator
