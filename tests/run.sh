#!/usr/bin/env bash
# All checks and tests, those on a real cluster included. At its end it says what ran, what failed and what was skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/steps.sh
source tests/steps.sh

need_root test
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=0 STEP_LINES=120
start=$EPOCHREALTIME
failed=0
skipped=()
cluster=test-$$
finish() { # says what ran, however it ended
	local status=$?
	tests/cluster/down.sh "$cluster" >/dev/null 2>&1 || true
	rm -rf "$steps_log"
	echo
	echo "What ran, in $(seconds_since "$start") s:"
	printf '  %s\n' "${steps_done[@]}"
	((${#skipped[@]} == 0)) || printf '  skipped %s\n' "${skipped[@]}"
	print_panics
	if ((failed || status)); then
		echo 'Some of it failed.' >&2
		exit 1
	fi
}
trap finish EXIT
must() { # without what this makes, the rest cannot run
	step "$@" || {
		skipped+=("all that follows: it needs $1")
		exit 1
	}
}

shell_checks() { git ls-files -z '*.sh' | xargs -0 shellcheck -x; }
cluster_tests() { # more arguments of the test program
	local binary
	binary=$(cluster_test_binary) && tests/cluster/enter.sh "$cluster" "$binary" --test-threads 4 "$@"
}

echo 'Tests (from nothing about 30 minutes on two cores, afterwards about 12)'
must 'Debian packages' tests/cluster/packages.sh
step 'Format' cargo fmt --check || failed=1
step 'Shell scripts' shell_checks || failed=1
step 'Lints' cargo clippy --quiet --all-targets -- -D warnings || failed=1
if command -v cargo-deny >/dev/null; then
	step 'Licences, sources and versions of crates' cargo deny --offline check bans licenses sources || failed=1
else
	skipped+=('Licences, sources and versions of crates: cargo-deny is not installed (cargo install cargo-deny)')
fi
step 'Unit, property and snapshot tests' cargo test --quiet --lib --bins --test it || failed=1
step 'Documentation tests' cargo test --quiet --doc || failed=1
must 'Kubernetes, etcd, CoreDNS, Helm' tests/cluster/build.sh
must 'Test image' tests/images/build.sh
images=$(tests/images/build.sh 2>/dev/null | tail -n 1)
step 'The operator and its image' tests/image.sh target/image || failed=1
step 'Chart' tests/chart.sh || failed=1
if step "Cluster $cluster" tests/cluster/up.sh "$cluster" &&
	step 'Loading images' tests/cluster/load.sh "$cluster" "$images"/msr-1.tar target/image/tlsdebug.tar; then
	step 'Sessions on the cluster' cluster_tests || failed=1
	# It removes the definition of the kind, so it comes last.
	step 'Every command of the README and of docs/' cluster_tests --ignored documented:: || failed=1
else
	failed=1
	skipped+=('Sessions on the cluster: the cluster did not start')
fi
step 'Two clusters at once' tests/cluster/twin.sh || failed=1
[[ -n ${TLSDEBUG_CORPUS:-} ]] || skipped+=('Logs that others posted: TLSDEBUG_CORPUS does not name their folder')
