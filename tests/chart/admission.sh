#!/usr/bin/env bash
# What the chart's admission policy admits from users of different rights: admission.sh, in tests/apiserver.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${TLSDEBUG_APISERVER:?run this through tests/apiserver.sh}"
export KUBECONFIG=$TLSDEBUG_APISERVER
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
cases=0
wrong() {
	printf 'admission.sh: %s\n' "$@" >&2
	failed=1
}

helm template tlsdebug charts/tlsdebug --namespace tlsdebug --show-only templates/definition.yaml |
	kubectl apply --server-side -f - >/dev/null
kubectl wait --for condition=Established crd/tlsdebugsessions.tlsdebug.io --timeout 30s >/dev/null
helm template tlsdebug charts/tlsdebug --namespace tlsdebug --show-only templates/admissionpolicy.yaml |
	kubectl apply --server-side -f - >/dev/null
kubectl create namespace shop >/dev/null
kubectl create namespace other >/dev/null

# Every user may do everything with sessions, and the rights in its name.
grant() { # user, namespace, verb, resource, options…
	kubectl create role "$1-$3" --namespace "$2" --verb "$3" --resource "$4" "${@:5}" >/dev/null
	kubectl create rolebinding "$1-$3" --namespace "$2" --role "$1-$3" --user "$1" >/dev/null
}
users=(one-end both-ends clone-of-one nothing patch-only logs-only patch-and-logs patch-other-name patch-elsewhere clone clone-without-get create-only)
for user in "${users[@]}"; do
	grant "$user" shop '*' tlsdebugsessions.tlsdebug.io
done
workloads=deployments.apps,statefulsets.apps,daemonsets.apps
grant patch-only shop patch "$workloads"
grant logs-only shop get pods/log
grant patch-and-logs shop patch "$workloads"
grant patch-and-logs shop get pods/log
grant patch-other-name shop patch deployments.apps --resource-name billing
grant patch-other-name shop get pods/log
grant patch-elsewhere other patch "$workloads"
grant patch-elsewhere other get pods/log
grant clone shop create pods
grant clone shop get "$workloads,pods,pods/log"
grant clone-without-get shop create pods
grant clone-without-get shop get pods/log
grant create-only shop create pods
grant one-end shop patch deployments.apps --resource-name orders
grant one-end shop get pods/log
grant both-ends shop patch deployments.apps --resource-name orders --resource-name bank
grant both-ends shop get pods/log
grant clone-of-one shop create pods
grant clone-of-one shop get deployments.apps --resource-name orders
# Two roles of one verb would have one name.
kubectl create role clone-of-one-logs --namespace shop --verb get --resource pods/log >/dev/null
kubectl create rolebinding clone-of-one-logs --namespace shop --role clone-of-one-logs --user clone-of-one >/dev/null

session() { # name, kind, further lines of the spec…
	printf 'apiVersion: tlsdebug.io/v1alpha1\nkind: TLSDebugSession\nmetadata: {name: %s, namespace: shop}\nspec:\n' "$1"
	printf '  target: {kind: %s, name: orders}\n' "$2"
	shift 2
	(($# == 0)) || printf '  %s\n' "$@"
}
# A command that is to be admitted (empty text) or refused with the text.
expect() { # text, what, command…
	local text=$1 what=$2 answer status=0
	shift 2
	cases=$((cases + 1))
	answer=$("$@" 2>&1) || status=$?
	if [[ -z $text ]]; then
		((status == 0)) || wrong "$what: refused: $answer"
	elif ((status == 0)); then
		wrong "$what: admitted"
	elif [[ $answer != *"$text"* ]]; then
		wrong "$what: refused, but not with '$text': $answer"
	fi
}
creates() { # user, text, kind, further lines of the spec…
	session "create-$cases" "${@:3}" >"$work/session.yaml"
	expect "$2" "$1 creates a session: ${*:3}" kubectl create --dry-run=server -f "$work/session.yaml" --as "$1"
}

# A new policy takes some moments to be in force.
session early Deployment >"$work/early.yaml"
for _ in $(seq 300); do
	kubectl create --dry-run=server -f "$work/early.yaml" --as nothing >/dev/null 2>&1 || break
	sleep 0.1
done

cannot_patch='may not patch Deployment orders in namespace shop'
cannot_log='may not get pods/log in namespace shop'
cannot_create='may not create pods in namespace shop'
creates nothing "$cannot_patch" Deployment
creates nothing "user nothing may not" Deployment
creates patch-only "$cannot_log" Deployment
creates logs-only "$cannot_patch" Deployment
creates patch-and-logs '' Deployment
creates patch-and-logs '' Deployment 'strategy: Rollout'
creates patch-and-logs '' StatefulSet
creates patch-and-logs '' DaemonSet
creates logs-only 'may not patch StatefulSet orders' StatefulSet
creates logs-only 'may not patch DaemonSet orders' DaemonSet
creates patch-other-name "$cannot_patch" Deployment
creates patch-elsewhere "$cannot_patch" Deployment
for kind in Deployment StatefulSet DaemonSet Pod; do
	creates clone '' "$kind" 'strategy: Clone'
	creates patch-and-logs "$cannot_create" "$kind" 'strategy: Clone'
	creates clone-without-get "may not get $kind orders" "$kind" 'strategy: Clone'
	creates create-only "may not get" "$kind" 'strategy: Clone'
done
creates clone '' Pod
creates patch-and-logs "$cannot_create" Pod
creates clone "$cannot_patch" Deployment

# The other end asks for the same rights.
peer='peer: {kind: Deployment, name: bank}'
creates one-end '' Deployment
creates one-end 'may not patch Deployment bank in namespace shop' Deployment "$peer"
creates both-ends '' Deployment "$peer"
creates both-ends 'may not patch StatefulSet bank' Deployment 'peer: {kind: StatefulSet, name: bank}'
creates both-ends "$cannot_create" Deployment 'peer: {kind: Pod, name: bank-0}'
creates clone '' Deployment 'strategy: Clone' "$peer"
creates clone-of-one '' Deployment 'strategy: Clone'
creates clone-of-one 'may not get Deployment bank in namespace shop' Deployment 'strategy: Clone' "$peer"

# Updates: only a spec that changes in more than `stop` is looked at.
session held Deployment 'debug: [ssl, sni]' >"$work/held.yaml"
expect '' 'an administrator creates a session' kubectl create -f "$work/held.yaml"
held=(tlsdebugsession held --namespace shop)
expect '' 'a user without rights labels a session' kubectl label "${held[@]}" team=shop --as nothing
expect '' 'a user without rights adds a finalizer' \
	kubectl patch "${held[@]}" --type json -p '[{"op": "add", "path": "/metadata/finalizers", "value": ["tlsdebug.io/restore"]}]' --as nothing
expect '' 'a user without rights removes a finalizer' \
	kubectl patch "${held[@]}" --type json -p '[{"op": "remove", "path": "/metadata/finalizers"}]' --as nothing
expect '' 'a user without rights stops a session' \
	kubectl patch "${held[@]}" --type merge -p '{"spec": {"stop": true}}' --as nothing
expect 'target is immutable' 'an administrator changes the target' \
	kubectl patch "${held[@]}" --type merge -p '{"spec": {"target": {"name": "billing"}}}'

# The definition's own rules come first. Without them, as with a definition that is older or was changed, the policy decides.
helm template tlsdebug charts/tlsdebug --namespace tlsdebug --show-only templates/definition.yaml |
	kubectl create --dry-run=client -f - -o json |
	jq 'del(.. | ."x-kubernetes-validations"?)' >"$work/definition.json"
kubectl apply --server-side -f "$work/definition.json" >/dev/null
for _ in $(seq 300); do
	kubectl patch "${held[@]}" --type merge -p '{"spec": {"duration": "20m"}}' --dry-run=server >/dev/null 2>&1 && break
	sleep 0.1
done
for change in '"target": {"name": "billing"}' '"duration": "8h"' '"ttlAfterFinished": "1h"' '"debug": ["ssl"]' '"debug": null'; do
	expect 'user nothing may not patch Deployment' "a user without rights changes $change" \
		kubectl patch "${held[@]}" --type merge -p "{\"spec\": {$change}}" --dry-run=server --as nothing
	expect '' "a user with rights changes $change" \
		kubectl patch "${held[@]}" --type merge -p "{\"spec\": {$change}}" --dry-run=server --as admin --as-group system:masters
done
expect '' 'a user without rights sets stop back' \
	kubectl patch "${held[@]}" --type merge -p '{"spec": {"stop": false}}' --dry-run=server --as nothing

((failed == 0)) || exit 1
echo "admission.sh: $cases cases, all as expected"
