#!/usr/bin/env bash
# Installs, upgrades and uninstalls the chart, and asks what its accounts may do: install.sh, in tests/apiserver.sh.
# There are no controllers: what the API server takes is seen, not what runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${TLSDEBUG_APISERVER:?run this through tests/apiserver.sh}"
export KUBECONFIG=$TLSDEBUG_APISERVER HELM_DATA_HOME HELM_CONFIG_HOME HELM_CACHE_HOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
HELM_DATA_HOME=$work/data HELM_CONFIG_HOME=$work/config HELM_CACHE_HOME=$work/cache
failed=0
wrong() {
	printf 'install.sh: %s\n' "$@" >&2
	failed=1
}
run() { # what, command…
	local what=$1
	shift
	"$@" >"$work/output" 2>&1 || wrong "$what: $(cat "$work/output")"
	# The API server warns of what restricted pod security refuses, of unknown fields and of formats it does not know.
	if grep -i warn "$work/output"; then wrong "$what: the API server warns"; fi
}
may() { # yes or no, account, verb and resource, options…
	local answer
	answer=$(kubectl auth can-i --as "system:serviceaccount:$2" "${@:3}" 2>/dev/null || true)
	[[ $answer == "$1" ]] || wrong "$2: kubectl auth can-i ${*:3}: $answer, not $1"
}

kubectl create namespace tlsdebug >/dev/null
kubectl label namespace tlsdebug pod-security.kubernetes.io/{enforce,warn}=restricted >/dev/null
kubectl create namespace shop >/dev/null
kubectl create namespace other >/dev/null

run 'install' helm install tlsdebug charts/tlsdebug --namespace tlsdebug
kubectl wait --for condition=Established crd/tlsdebugsessions.tlsdebug.io --timeout 30s >/dev/null
spec() { jq --sort-keys '.spec | del(.conversion, .names.listKind)'; }
diff <(kubectl get crd tlsdebugsessions.tlsdebug.io -o json | spec) \
	<(kubectl create --dry-run=client -f crds/tlsdebugsessions.tlsdebug.io.yaml -o json | spec) ||
	wrong 'the chart installs another definition than the one in crds/'
# A pod as the Deployment's controller would make it.
kubectl get deployment tlsdebug --namespace tlsdebug -o json |
	jq '{apiVersion: "v1", kind: "Pod", metadata: {name: "operator", namespace: "tlsdebug"}, spec: .spec.template.spec}' >"$work/pod.json"
run 'a pod under restricted pod security' kubectl create --dry-run=server -f "$work/pod.json"

operator=tlsdebug:tlsdebug
for verb in create get list watch patch delete; do may yes $operator $verb tlsdebugsessions.tlsdebug.io -n shop; done
for verb in update deletecollection; do may no $operator $verb tlsdebugsessions.tlsdebug.io -n shop; done
may yes $operator patch tlsdebugsessions.tlsdebug.io --subresource status -n shop
for workload in deployments statefulsets daemonsets; do
	for verb in get list watch patch; do may yes $operator $verb $workload.apps -n shop; done
	for verb in create update delete; do may no $operator $verb $workload.apps -n shop; done
done
for revision in replicasets controllerrevisions; do
	for verb in list patch delete; do may yes $operator $verb $revision.apps -n shop; done
	for verb in create update watch; do may no $operator $verb $revision.apps -n shop; done
done
for verb in get list watch; do may yes $operator $verb pods -n shop; done
may yes $operator get pods --subresource log -n shop
may yes $operator delete pods -n shop
for verb in create patch deletecollection; do may no $operator $verb pods -n shop; done
may no $operator list services -n shop
for subresource in exec attach ephemeralcontainers portforward; do may no $operator create pods --subresource $subresource -n shop; done
for verb in get list watch; do may no $operator $verb secrets -n shop; done
may no $operator get configmaps -n shop
may no $operator get leases.coordination.k8s.io -n shop
may yes $operator create leases.coordination.k8s.io -n tlsdebug
may yes $operator update leases.coordination.k8s.io/tlsdebug -n tlsdebug
may no $operator update leases.coordination.k8s.io/another -n tlsdebug
may yes $operator get validatingadmissionpolicies.admissionregistration.k8s.io/tlsdebugsessions.tlsdebug.io
may no $operator get validatingadmissionpolicies.admissionregistration.k8s.io/another
may no $operator patch validatingadmissionpolicies.admissionregistration.k8s.io/tlsdebugsessions.tlsdebug.io

run 'upgrade with every right' helm upgrade tlsdebug charts/tlsdebug --namespace tlsdebug \
	--set rbac.allow.clone=true,rbac.allow.readConfigMaps=true,networkPolicy.enabled=true,metrics.service=true
for verb in create delete; do may yes $operator $verb pods -n shop; done
may yes $operator list services -n shop
may yes $operator get configmaps -n shop
may no $operator list configmaps -n shop
may no $operator get secrets -n shop

run 'upgrade without a right to delete pods' helm upgrade tlsdebug charts/tlsdebug --namespace tlsdebug --reset-values \
	--set rbac.allow.deleteStuckPods=false
for verb in create delete; do may no $operator $verb pods -n shop; done

# The definition stays, and with it the sessions; another installation takes it up again.
kubectl create -n shop -f - >/dev/null <<-'S'
	{apiVersion: tlsdebug.io/v1alpha1, kind: TLSDebugSession, metadata: {name: kept}, spec: {target: {kind: Deployment, name: orders}}}
S
# Nothing would run the Job that ends the sessions first.
run 'uninstall' helm uninstall tlsdebug --namespace tlsdebug --no-hooks
kubectl get tlsdebugsession kept -n shop >/dev/null || wrong 'uninstalling deletes sessions'
may no $operator get tlsdebugsessions.tlsdebug.io -n shop
run 'install in namespaces' helm install tlsdebug charts/tlsdebug --namespace tlsdebug --set 'watchNamespaces={shop}'
for resource in tlsdebugsessions.tlsdebug.io deployments.apps; do
	may yes $operator patch $resource -n shop
	may no $operator patch $resource -n other
	may no $operator list $resource --all-namespaces
done
may no $operator get validatingadmissionpolicies.admissionregistration.k8s.io/tlsdebugsessions.tlsdebug.io
bound=$(kubectl get clusterrolebindings -l app.kubernetes.io/name=tlsdebug -o name)
[[ -z $bound ]] || wrong "with watchNamespaces the operator has rights in the whole cluster: $bound"

((failed == 0)) || exit 1
echo 'install.sh: installed, upgraded, uninstalled, installed again; the rights are as expected'
