#!/usr/bin/env bash
# Checks the chart: lint, what it renders (tests/chart/NAME.values.yaml gives NAME.yaml; UPDATE_SNAPSHOTS=1 writes them
# anew), what it refuses, and on a real API server its installation, its rights, its policy and the definition's rules.
# HELM names the folder of another helm than the one that tests/cluster/build.sh builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=$(tests/cluster/build.sh | tail -n 1)
export PATH=${HELM:+$HELM:}$bin:$PATH
failed=0
wrong() {
	printf 'chart.sh: %s\n' "$@" >&2
	failed=1
}
render() { helm template release charts/tlsdebug --namespace tlsdebug --kube-version 1.35.0 "$@"; }

# Helm 3 and 4 leave different blank lines between and in objects.
same() { diff -u <(grep '[^[:space:]]' "$1") <(grep '[^[:space:]]' "$2"); }

for values in tests/chart/*.values.yaml; do
	snapshot=${values%.values.yaml}.yaml
	helm lint --quiet --strict charts/tlsdebug --values "$values" || wrong "helm lint with $values"
	# The definition is a file of its own, which install.sh compares: the snapshots need not hold it as well.
	rendered=$(render --values "$values" --set crds.install=false)
	[[ -z ${UPDATE_SNAPSHOTS:-} ]] || echo "$rendered" >"$snapshot"
	same "$snapshot" <(echo "$rendered") || wrong "$values renders something else than $snapshot; if that is meant: UPDATE_SNAPSHOTS=1 tests/chart.sh"
done

# What kustomize takes is what the chart renders, without what only Helm needs.
plain() {
	helm template tlsdebug charts/tlsdebug --namespace tlsdebug --kube-version 1.35.0 --no-hooks --set crds.keep=false |
		sed -e '/app.kubernetes.io\/managed-by: Helm/d' -e '/helm.sh\/chart:/d'
}
[[ -z ${UPDATE_SNAPSHOTS:-} ]] || plain >deploy/kustomize/operator.yaml
same deploy/kustomize/operator.yaml <(plain) || wrong 'deploy/kustomize/operator.yaml is not what the chart renders; if that is meant: UPDATE_SNAPSHOTS=1 tests/chart.sh'
kinds() { grep -E '^kind: ' | sort | uniq -c; }
diff <(kubectl kustomize deploy/kustomize | kinds) <({ plain && cat deploy/kustomize/namespace.yaml; } | kinds) ||
	wrong 'deploy/kustomize is missing an object of the chart'

# What is packaged is what is in the folder: .helmignore leaves nothing out that a template reads.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
helm package charts/tlsdebug --destination "$work" >/dev/null
packaged=$(helm template release "$work"/tlsdebug-*.tgz --namespace tlsdebug --kube-version 1.35.0)
rendered=$(render)
diff <(echo "$rendered") - <<<"$packaged" || wrong 'the packaged chart renders something else than its folder'

refuses() { # a part of the answer, arguments of helm…
	local text=$1 answer
	shift
	if answer=$(render "$@" 2>&1); then
		wrong "helm template $*: accepted"
	elif [[ $answer != *"$text"* ]]; then
		wrong "helm template $*: refused, but not with '$text': $answer"
	fi
}
refuses "additional properties 'replicaCount' not allowed" --set replicaCount=2
refuses "additional properties 'limit' not allowed" --set resources.limit.memory=1Gi
refuses "got string, want boolean" --set-string admissionPolicy.enabled=false
refuses "at '/logFormat'" --set logFormat=xml
refuses "at '/watchNamespaces/0'" --set 'watchNamespaces={Orders}'
refuses 'With watchNamespaces the operator cannot look' --set 'watchNamespaces={orders}' --set admissionPolicy.enabled=false
refuses 'serviceAccount.name is needed' --set serviceAccount.create=false
refuses "at '/image/digest'" --set image.digest=sha256:1
refuses "at '/podDisruptionBudget/maxUnavailable'" --set podDisruptionBudget.maxUnavailable=half
refuses 'incompatible with Kubernetes v1.29.0' --kube-version 1.29.0

tests/apiserver.sh tests/chart/install.sh || wrong 'tests/chart/install.sh failed'
tests/apiserver.sh tests/chart/admission.sh || wrong 'tests/chart/admission.sh failed'
tests/apiserver.sh cargo test --quiet --test it -- --ignored api_server || wrong "the definition's rules on an API server"
exit "$failed"
