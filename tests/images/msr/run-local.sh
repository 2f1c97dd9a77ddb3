#!/usr/bin/env bash
# Runs one fault without containers and writes what both sides print to client.log and server.log: run-local.sh FAULT [OUT]
# JAVA_HOME: the JVM that runs it (8 or later). DEBUG, SERVER_DEBUG: values of javax.net.debug for the two sides.
# TLSDEBUG_ATTEMPTS: how many handshakes, default 1.
set -euo pipefail
# shellcheck source=tests/images/lib.sh
. "$(dirname "$0")/../lib.sh"
fault=${1:?usage: run-local.sh FAULT [OUT]}
JAVA_HOME=${JAVA_HOME:-$JDK_HOME}
out=${2:-${TMPDIR:-/tmp}/tlsdebug-lab/$(basename "$JAVA_HOME")/$fault}
mkdir -p "$out"

key=local-$(key_of "$JDK_HOME/release")
cached "$key" program

side() { # ROLE DEBUG
	exec env TLSDEBUG_ROLE="$1" TLSDEBUG_FAULT="$fault" TLSDEBUG_CERTIFICATES="$cache/$key/certificates" \
		"$JAVA_HOME/bin/java" ${2:+"-Djavax.net.debug=$2"} -cp "$cache/$key/classes" tlsdebug.lab.Main
}

(TLSDEBUG_PORT=0 side server "${SERVER_DEBUG:-}") >"$out/server.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
port=
while [[ -z $port ]]; do
	kill -0 $server 2>/dev/null || { cat "$out/server.log" >&2; exit 1; }
	port=$(sed -n 's/.*listener started on port //p' "$out/server.log")
	sleep 0.05
done

# The client asks for the name in the certificate, which only this machine's loopback answers to.
(TLSDEBUG_SERVER=bank.example:$port TLSDEBUG_ADDRESS=127.0.0.1 TLSDEBUG_ATTEMPTS=${TLSDEBUG_ATTEMPTS:-1} \
	TLSDEBUG_INTERVAL_MS=${TLSDEBUG_INTERVAL_MS:-100} side client "${DEBUG-ssl,handshake}") >"$out/client.log" 2>&1
sleep 0.1 # for the server's last line
echo "$out"
