#!/usr/bin/env bash
# Runs a command against a real API server of its own: apiserver.sh COMMAND…
# It is kube-apiserver and etcd alone, without a node: enough for definitions, CEL rules, admission and access control,
# up in some seconds, without root. KUBECONFIG is the way in as an administrator; kubectl and helm are on the PATH.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fail() {
	printf 'apiserver.sh: %s\n' "$@" >&2
	exit 1
}
(($#)) || fail 'usage: apiserver.sh COMMAND…'
bin=$("$here/cluster/build.sh" | tail -n 1)

state=$(mktemp -d)
pids=()
# shellcheck disable=SC2317 # the trap calls it
clean() {
	if ((${#pids[@]})); then
		kill -KILL "${pids[@]}" 2>/dev/null || true
		wait "${pids[@]}" 2>/dev/null || true
	fi
	rm -rf "$state"
}
trap clean EXIT

# The kernel knows which ports are free; between the question and the answer's use another program could take one,
# then the start fails and says so.
mapfile -t ports < <(perl -MIO::Socket::INET -e '
	my @held = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") } 1 .. 3;
	print $_->sockport, "\n" for @held;')
client=http://127.0.0.1:${ports[0]} peer=http://127.0.0.1:${ports[1]} port=${ports[2]}

openssl genrsa -out "$state/sa.key" 2048 2>/dev/null
token=$(openssl rand -hex 16)
echo "$token,admin,admin,system:masters" >"$state/tokens.csv"

"$bin/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --listen-client-urls "$client" --advertise-client-urls "$client" \
	--listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
	>"$state/etcd.log" 2>&1 &
pids+=($!)
"$bin/kube-apiserver" --etcd-servers="$client" --service-cluster-ip-range=10.96.0.0/16 --bind-address=127.0.0.1 \
	--secure-port="$port" --cert-dir="$state/pki" --token-auth-file="$state/tokens.csv" --authorization-mode=RBAC \
	--service-account-key-file="$state/sa.key" --service-account-signing-key-file="$state/sa.key" \
	--service-account-issuer=https://kubernetes.default.svc --disable-admission-plugins=ServiceAccount \
	>"$state/kube-apiserver.log" 2>&1 &
pids+=($!)

# Tests that write to a cluster take TLSDEBUG_APISERVER, never the KUBECONFIG that a developer happens to have set.
export KUBECONFIG=$state/kubeconfig PATH=$bin:$PATH
export TLSDEBUG_APISERVER=$KUBECONFIG
for _ in $(seq 600); do # up to a minute, on a machine that has other work too
	if [[ -s $state/pki/apiserver.crt ]]; then
		[[ -s $KUBECONFIG ]] || cat >"$KUBECONFIG" <<-K
			apiVersion: v1
			kind: Config
			clusters:
			- name: test
			  cluster: {server: "https://127.0.0.1:$port", certificate-authority: "$state/pki/apiserver.crt"}
			users: [{name: admin, user: {token: $token}}]
			contexts: [{name: test, context: {cluster: test, user: admin}}]
			current-context: test
		K
		if kubectl get --raw /readyz >/dev/null 2>&1; then
			status=0
			"$@" || status=$?
			exit "$status"
		fi
	fi
	for pid in "${pids[@]}"; do
		kill -0 "$pid" 2>/dev/null || fail 'a program of the API server ended at once:' "$(tail -n 5 "$state"/*.log)"
	done
	sleep 0.1
done
fail 'the API server did not become ready:' "$(tail -n 5 "$state"/*.log)"
