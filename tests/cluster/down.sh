#!/usr/bin/env bash
# Ends the cluster NAME and removes all there is of it: down.sh NAME [--keep-logs]. Fine when it is not there.
set -euo pipefail
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
keep=drop
[[ ${2:-} != --keep-logs ]] || keep=keep
(($# == 1)) || [[ $# == 2 && $keep == keep ]] || fail 'usage: down.sh NAME [--keep-logs]'
cluster "$1"
not_elsewhere
if [[ ! -e $state && -z $(members) ]]; then
	remove_cgroups
	echo "Cluster $name is not there."
	exit 0
fi
lock
tear_down $keep
echo "Cluster $name is down."
[[ $keep == drop ]] || echo "Its logs: $state/log and $state/pod-logs; the next up.sh or down.sh $name removes them."
