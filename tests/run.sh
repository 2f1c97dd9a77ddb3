#!/usr/bin/env bash
# All checks and tests, those on a real cluster included. At its end it says what ran, what failed and what was skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/steps.sh
source tests/steps.sh

if ((EUID != 0)); then
	echo 'test: not root, and the cluster tests need it (namespaces, mounts, a container runtime). Run: sudo -E make test' >&2
	exit 1
fi
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 STEP_LINES=120
start=$EPOCHREALTIME
failed=0
skipped=()
cluster=test-$$
cleanup() {
	tests/cluster/down.sh "$cluster" >/dev/null 2>&1 || true
	rm -rf "$steps_log"
}
trap cleanup EXIT

shell_checks() { git ls-files -z '*.sh' | xargs -0 shellcheck -x; }
cluster_test_binary() {
	cargo test --quiet --no-run --test cluster --message-format=json 2>/dev/null |
		jq -r 'select(.target.name == "cluster" and .executable != null) | .executable'
}
cluster_tests() { tests/cluster/enter.sh "$cluster" "$1" --test-threads 4; }

echo 'Tests (from nothing about 30 minutes on two cores, afterwards about 7)'
step 'Debian packages' tests/cluster/packages.sh || exit 1
step 'Format' cargo fmt --check || failed=1
step 'Shell scripts' shell_checks || failed=1
step 'Lints' cargo clippy --quiet --all-targets -- -D warnings || failed=1
step 'Unit, property and snapshot tests' cargo test --quiet --lib --bins --test it || failed=1
step 'Documentation tests' cargo test --quiet --doc || failed=1
step 'Kubernetes, etcd, CoreDNS, Helm' tests/cluster/build.sh || exit 1
step 'Test image' tests/images/build.sh || exit 1
images=$(tests/images/build.sh 2>/dev/null | tail -n 1)
step 'The operator and its image' tests/image.sh target/image || failed=1
step 'Chart' tests/chart.sh || failed=1
if step "Cluster $cluster" tests/cluster/up.sh "$cluster" &&
	step 'Loading images' tests/cluster/load.sh "$cluster" "$images"/msr-1.tar target/image/tlsdebug.tar; then
	binary=$(cluster_test_binary)
	step 'Sessions on the cluster' cluster_tests "$binary" || failed=1
else
	failed=1
	skipped+=('Sessions on the cluster: the cluster did not start')
fi
step 'Two clusters at once' tests/cluster/twin.sh || failed=1
[[ -n ${TLSDEBUG_CORPUS:-} ]] || skipped+=('Logs that others posted: TLSDEBUG_CORPUS does not name their folder')

echo
echo "What ran, in $(seconds_since "$start") s:"
printf '  %s\n' "${steps_done[@]}"
((${#skipped[@]} == 0)) || printf '  skipped %s\n' "${skipped[@]}"
if ((failed)); then
	echo 'Some of it failed.' >&2
	exit 1
fi
