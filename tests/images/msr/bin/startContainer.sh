#!/bin/sh
# The container's entry point: runs the server and ends it when this shell ends.
# Only the exit is trapped. bash as /bin/sh runs that trap for SIGTERM too; dash and busybox do not, and such a
# container ignores SIGTERM, as images of MSR rebuilt on Debian do.
BINDIR=$(dirname "$0")
LOCK=${BINDIR}/.lock

# shellcheck disable=SC2317 # called by the trap
shutdown() {
	rm -f "${LOCK}"
	waited=0
	while kill -0 "${SERVER}" 2>/dev/null && [ "${waited}" -lt "${SAG_IS_SHUTDOWN_WAIT_TIME:-300}" ]; do
		sleep 1
		waited=$((waited + 1))
	done
}

: >"${LOCK}" || exit 1
"${BINDIR}/server.sh" -log both &
SERVER=$!
trap shutdown 0
wait "${SERVER}"
