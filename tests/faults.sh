#!/usr/bin/env bash
# Runs every cell of the fault matrix, the reconnects and the rights on clusters of their own, and prints the tables.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/steps.sh
source tests/steps.sh

need_root faults
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=0 STEP_LINES=200
# Larger than what the reconnects write, which compare one whole file.
export TLSDEBUG_LOG_SIZE=50Mi
cluster=faults-$$
TLSDEBUG_TABLES=$(mktemp -d)
export TLSDEBUG_TABLES
failed=0
cleanup() {
	tests/cluster/down.sh "$cluster" >/dev/null 2>&1 || true
	rm -rf "$steps_log" "$TLSDEBUG_TABLES"
}
trap cleanup EXIT

cluster_tests() { tests/cluster/enter.sh "$cluster" "$binary" --ignored "$@"; }
table() { # name, heading…
	local file=$TLSDEBUG_TABLES/$1
	[[ -s $file ]] || return 0
	echo
	{
		local IFS=$'\t'
		echo "${*:2}"
		LC_ALL=C sort "$file"
	} | column -t -s $'\t'
}

echo 'Faults (about 25 minutes on two cores)'
start_cluster "$cluster"
# Each of these has the machine, or the cluster, for itself.
step 'Broken log streams under load' cluster_tests reconnects --test-threads 1 || failed=1
step 'Rights, each taken away in turn' cluster_tests grants --test-threads 1 || failed=1
step 'Kills, API faults, workloads' cluster_tests --skip alone --skip reconnects --skip grants --skip documented \
	--test-threads 4 || failed=1
# Much of what others do to a workload and a session is a scenario of make test: its rows are shown as well.
step 'Scenarios of make test' tests/cluster/enter.sh "$cluster" "$binary" meanwhile leftovers leadership endings drift:: crash rights \
	clocks logs:: peers \
	--test-threads 4 || failed=1
step 'Whole servers' cluster_tests alone --test-threads 1 || failed=1

table faults Cell 'What was done' Outcome 'Template (s)' 'Restored (s)'
table scenarios Scenario 'Whole (s)'
table reconnects Log 'Streams opened' Written Read Gaps
table floods 'Read of a flood' 'Memory at most' Gaps
table rights Right 'Needed by' Requests 'Without it'
print_panics
exit "$failed"
