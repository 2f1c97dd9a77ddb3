#!/usr/bin/env bash
# Builds the archive, installs it with krew into a home of its own, and lets kubectl run the plugin from there.
# krew is built from its Go module into the cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
krew_version=v0.4.5
tools=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/tools/krew-$krew_version
fail() {
	printf 'dist.sh: %s\n' "$@" >&2
	exit 1
}
[[ -x $tools/krew ]] || GOBIN=$tools go install "sigs.k8s.io/krew/cmd/krew@$krew_version"
bin=$(tests/cluster/build.sh | tail -n 1)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
deploy/dist.sh "$work/dist"
(cd "$work/dist" && sha256sum --check --quiet ./*.sha256)

export KREW_ROOT=$work/krew PATH=$work/krew/bin:$bin:$PATH
"$tools/krew" install --manifest "$work/dist/tlsdebug.yaml" --archive "$(echo "$work"/dist/*.tar.gz)" >"$work/log" 2>&1 ||
	fail "krew does not install it: $(cat "$work/log")"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
[[ $(kubectl tlsdebug --version) == "tlsdebug $version" ]] || fail "kubectl tlsdebug --version says $(kubectl tlsdebug --version)"
kubectl tlsdebug --help | grep -q 'Usage: kubectl tlsdebug <COMMAND>' || fail 'the help does not say how it is called'
status=0
kubectl tlsdebug diagnose tests/logs/17.0.15-expired-client.log >/dev/null || status=$?
((status == 1)) || fail "kubectl tlsdebug diagnose ends with $status"
kubectl tlsdebug completions bash | bash -n || fail 'the completions are no script of bash'
echo 'dist.sh: archive, checksum and manifest are as krew and kubectl want them' >&2
