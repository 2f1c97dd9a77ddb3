#!/usr/bin/env bash
# Brings image archives (docker-archive or OCI) into the cluster NAME: load.sh NAME ARCHIVE.tar…
# No registry is asked for them: set imagePullPolicy to IfNotPresent or Never.
set -euo pipefail
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
(($# >= 2)) || fail 'usage: load.sh NAME ARCHIVE.tar…'
cluster "$1"
shift
alive containerd || fail "cluster $name is not up" "Start it: $here/up.sh $name"
for archive in "$@"; do
	[[ -r $archive ]] || fail "there is no image archive $archive" \
		'Make one with: buildah push IMAGE docker-archive:FILE.tar:IMAGE'
	inside ctr image import --snapshotter "$CONTAINERD_SNAPSHOTTER" - <"$archive" >/dev/null || fail "containerd did not take $archive" "See $state/log/containerd.log."
done
