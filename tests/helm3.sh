#!/usr/bin/env bash
# The chart by Helm 3, which is built from its Go module into the cache: what tests/chart.sh asks of it, and on a cluster of
# its own its installation, upgrade, tests and uninstallation with sessions that run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/steps.sh
source tests/steps.sh

need_root helm3
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=0 STEP_LINES=200
cluster=helm3-$$
cleanup() {
	tests/cluster/down.sh "$cluster" >/dev/null 2>&1 || true
	rm -rf "$steps_log"
}
trap cleanup EXIT
version=$(sed -n 's|.*helm.sh/helm/v3 v\([0-9.]*\).*|\1|p' tests/cluster/helm3/go.mod | head -n 1)
export HELM=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/tools/helm-$version
# The Kubernetes that charts are rendered for without a cluster; its releases are told it like this.
minor=$(sed -n 's|.*k8s.io/client-go v0\.\([0-9]*\)\..*|\1|p' tests/cluster/helm3/go.mod)
flags='-s -w'
for package in lint/rules chartutil; do
	flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/$package.k8sVersionMinor=$minor"
done
build() { [[ -x $HELM/helm ]] || (cd tests/cluster/helm3 && mkdir -p "$HELM" && go build -trimpath -ldflags "$flags" -o "$HELM/helm" helm.sh/helm/v3/cmd/helm); }
# shellcheck disable=SC2016 # the shell inside expands it
cluster_tests() { tests/cluster/enter.sh "$cluster" bash -c 'PATH=$HELM:$PATH exec "$@"' - "$binary" installed:: --include-ignored --test-threads 2; }

echo 'The chart by Helm 3 (about 4 minutes on two cores)'
step "Helm $version" build
failed=0
step 'Chart' tests/chart.sh || failed=1
start_cluster "$cluster"
step 'Installed, upgraded and uninstalled' cluster_tests || failed=1
print_panics
exit "$failed"
