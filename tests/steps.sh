# Steps with their times, for scripts to source. `step NAME COMMAND…` runs a command, shows that it runs, and on failure
# prints the end of its output; what failed tests said is kept for the end, for print_panics.
# shellcheck shell=bash

steps_log=$(mktemp -d)
trap 'rm -rf "$steps_log"' EXIT
steps_done=()
steps_panics=()

need_root() { # target
	((EUID == 0)) && return
	echo "$1: not root, and the cluster needs it (namespaces, mounts, a container runtime). Run: sudo -E make $1" >&2
	exit 1
}

seconds_since() { # the time that EPOCHREALTIME was, in seconds with one decimal
	awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN {printf "%.1f", to - from}'
}

step() {
	local name=$1 start=$EPOCHREALTIME log="$steps_log/output" status=0
	shift
	printf '  %-58s' "$name …"
	"$@" >"$log" 2>&1 || status=$?
	if ((status == 0)); then
		printf '%6s s\n' "$(seconds_since "$start")"
		steps_done+=("ok      $name ($(seconds_since "$start") s)")
	else
		printf 'failed after %s s\n' "$(seconds_since "$start")"
		steps_done+=("FAILED  $name ($(seconds_since "$start") s)")
		tail -n "${STEP_LINES:-60}" "$log" >&2
		mapfile -t -O "${#steps_panics[@]}" steps_panics < <(grep -A 4 'panicked at' "$log" | cut -c -600 | head -n 60)
	fi
	return "$status"
}

print_panics() {
	((${#steps_panics[@]} == 0)) || printf '%s\n' 'What failed tests said:' "${steps_panics[@]/#/  }"
}

cluster_test_binary() { # prints where the program of the scenarios is, built where it is not
	cargo test --quiet --no-run --test cluster --message-format=json |
		jq -r 'select(.target.name == "cluster" and .executable != null) | .executable'
}

# shellcheck disable=SC2034 # who sources this has the use of it
start_cluster() { # NAME: a cluster with the images of the tests and of the operator; `binary` is the program of the scenarios then
	local images
	step 'Kubernetes, etcd, CoreDNS, Helm' tests/cluster/build.sh &&
		step 'Test image' tests/images/build.sh &&
		images=$(tests/images/build.sh 2>/dev/null | tail -n 1) &&
		step 'The operator and its image' tests/image.sh target/image &&
		step "Cluster $1" tests/cluster/up.sh "$1" &&
		step 'Loading images' tests/cluster/load.sh "$1" "$images"/msr-1.tar target/image/tlsdebug.tar &&
		step 'Test program' cargo test --quiet --no-run --test cluster &&
		binary=$(cluster_test_binary 2>/dev/null)
}
