#!/usr/bin/env bash
# Ends one of the servers of the cluster NAME at once, and starts it again: restart.sh NAME SERVER [SECONDS in between].
# To be called in the cluster's namespaces, see enter.sh.
set -euo pipefail
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
(($# == 2 || $# == 3)) || fail 'usage: restart.sh NAME SERVER [SECONDS]'
cluster "$1"
server=$2
[[ ${TLSDEBUG_CLUSTER:-} == "$name" ]] || fail "this is not in cluster $name" "Run $here/enter.sh $name $0 $*"
alive "$server" || fail "$server of cluster $name does not run" "What does: ls $state/pid"
read -r pid _ <"$state/pid/$server"
mapfile -d '' -t command <"/proc/$pid/cmdline"
kill -KILL "$pid"
# Nobody may be there to take note of its end.
while [[ -e /proc/$pid/stat && $(cut -d ' ' -f 3 "/proc/$pid/stat") != Z ]]; do sleep 0.05; done
sleep "${3:-0}"
cd "$state"
(
	echo "$BASHPID" >"$members_root/control-plane/cgroup.procs"
	exec setsid "${command[@]}"
) >>"log/$server.log" 2>&1 </dev/null &
echo "$! $(started_at $!)" >"pid/$server"
