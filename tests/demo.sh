#!/usr/bin/env bash
# Shows a session from end to end: a client whose TLS handshakes fail, nine lines of YAML, the cause in the status, and the
# workload as it was before. On a cluster of its own, unless CLUSTER=current asks for the one that kubectl points to.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/steps.sh
source tests/steps.sh

start=$EPOCHREALTIME
if [[ ${CLUSTER:-own} == current ]]; then
	[[ -n ${REGISTRY:-} ]] || {
		echo "demo: CLUSTER=current needs REGISTRY=…, a registry that the cluster pulls from and that you may push to." >&2
		exit 1
	}
	inside=(command)
elif [[ ${CLUSTER:-own} == own ]]; then
	inside=(tests/cluster/enter.sh demo)
else
	echo "demo: CLUSTER=$CLUSTER is not known. Leave it out for a cluster of its own, or say CLUSTER=current." >&2
	exit 1
fi

echo 'Building (from nothing about 15 minutes on two cores, afterwards seconds)'
step 'Debian packages' tests/cluster/packages.sh
[[ ${CLUSTER:-own} == current ]] || step 'Kubernetes, etcd, CoreDNS, Helm (from nothing 9 min)' tests/cluster/build.sh
step 'Test image: a stand-in for Microservices Runtime (10 s)' tests/images/build.sh
images=$(tests/images/build.sh 2>/dev/null | tail -n 1)
step 'The operator and its image (from nothing 6 min)' tests/image.sh target/image
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
image=tlsdebug.local/tlsdebug

echo 'Setting up'
chart=(--namespace tlsdebug --create-namespace --wait --timeout 120s charts/tlsdebug --set "image.tag=$version")
if [[ ${CLUSTER:-own} == own ]]; then
	step 'Cluster of one node' tests/cluster/up.sh demo
	step 'Loading the images' tests/cluster/load.sh demo "$images"/msr-1.tar target/image/tlsdebug.tar
	chart+=(--set "image.repository=$image")
else
	push() { # archive, name and tag in the registry
		local id
		id=$(buildah --storage-driver vfs pull -q "docker-archive:$1") && buildah --storage-driver vfs push -q "$id" "docker://$2"
	}
	step "Pushing the images to $REGISTRY" bash -c "$(declare -f push); push '$images/msr-1.tar' '$REGISTRY/msr:1' && push target/image/tlsdebug.tar '$REGISTRY/tlsdebug:$version'"
	chart+=(--set "image.repository=$REGISTRY/tlsdebug")
fi
in_cluster() { "${inside[@]}" "$@"; }
kubectl() { in_cluster kubectl --namespace demo "$@"; }
deploy() {
	in_cluster kubectl create namespace demo --dry-run=client -o yaml | in_cluster kubectl apply -f - &&
		for manifest in examples/demo/*.yaml; do
			sed "s|tlsdebug.local/msr:|${REGISTRY:-tlsdebug.local}/msr:|" "$manifest" | kubectl apply -f - || return
		done &&
		kubectl rollout status deployment/bank --timeout 120s && kubectl rollout status deployment/orders-msr --timeout 120s
}
step 'helm upgrade --install tlsdebug charts/tlsdebug' in_cluster helm upgrade --install tlsdebug "${chart[@]}"
step 'A client (orders-msr) and its bank, whose chain is short' deploy

# What must be the same afterwards. The Deployment controller counts its rollouts in one annotation; that count is its own.
picture() {
	kubectl get deployment orders-msr -o json --show-managed-fields | jq -S '{
		template: .spec.template,
		labels: .metadata.labels,
		annotations: (.metadata.annotations | del(."deployment.kubernetes.io/revision")),
		fieldOwners: [.metadata.managedFields[] | select(.subresource == null) | {manager, operation, fieldsV1}]}'
	kubectl get replicasets -l app.kubernetes.io/instance=orders -o json |
		jq -S '[.items[] | {name: .metadata.name, uid: .metadata.uid, hash: .metadata.labels."pod-template-hash"}]'
}
kubectl delete --ignore-not-found -f examples/session.yaml >/dev/null
picture >"$steps_log/before"

echo
echo '$ kubectl apply -f examples/session.yaml'
sed 's/^/    /' examples/session.yaml
applied=$EPOCHREALTIME
kubectl apply -f examples/session.yaml >/dev/null
before=''
while read -r phase cause; do
	[[ $phase$cause != "$before" ]] || continue
	before=$phase$cause
	printf '  %6s s  %-11s %s\n' "$(seconds_since "$applied")" "$phase" "$cause"
	case $phase in Completed | Failed) break ;; esac
done < <(kubectl get tlsdebugsession orders-to-bank --watch -o 'jsonpath={.status.phase} {.status.cause}{"\n"}' 2>/dev/null)

echo
echo '$ kubectl get tlsdebugsession -n demo'
kubectl get tlsdebugsession
echo
echo '$ kubectl get tlsdebugsession orders-to-bank -n demo -o yaml     (its status)'
kubectl get tlsdebugsession orders-to-bank -o yaml | sed -n '/^status:/,$p'

echo
echo 'The client, before and after:'
picture >"$steps_log/after"
if diff -u "$steps_log/before" "$steps_log/after"; then
	echo '  ReplicaSet (name, uid, template hash), template, labels, annotations and field owners are the same.'
	result=0
else
	echo '  It is not the same: see the difference above.' >&2
	result=1
fi
kubectl get replicasets,pods -l app.kubernetes.io/instance=orders

echo
echo "Done in $(seconds_since "$start") s. The cluster is still up."
if [[ ${CLUSTER:-own} == own ]]; then
	echo '  Look around:  make demo-shell        (a shell with kubectl and helm; then kubectl get tds -A)'
	echo '  End it:       make demo-down'
else
	echo '  End it:       kubectl delete namespace demo && helm uninstall tlsdebug -n tlsdebug'
fi
exit "$result"
