#!/usr/bin/env bash
# Runs a command, or a shell, in the namespaces of the cluster NAME: enter.sh NAME [COMMAND…].
# There kubectl, helm and ctr are on the PATH and set up for it, and its pods and Services can be reached.
set -euo pipefail
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
(($# >= 1)) || fail 'usage: enter.sh NAME [COMMAND…]'
cluster "$1"
shift
has_namespaces || fail "cluster $name is not up (nothing in $state/ns)" "Start it: $here/up.sh $name"
export PATH=$state/bin:$PATH TLSDEBUG_CLUSTER=$name
(($#)) || set -- "${SHELL:-bash}"
exec_inside "$PWD" "$@"
