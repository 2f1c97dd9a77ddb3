#!/usr/bin/env bash
# Builds the cluster's programs and images into a cache folder and prints that folder as its last line:
# Kubernetes, etcd, Helm and CoreDNS from their Go modules, and the pause image. Does nothing when they are there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"
fail() {
	printf 'build.sh: %s\n' "$@" >&2
	exit 1
}

# Only what was built from these very sources with this very compiler is taken from the cache.
inputs=(go.mod go.sum helm/go.mod helm/go.sum coredns/go.mod coredns/go.sum coredns/main.go pause/pause.c build.sh)
command -v go >/dev/null || fail 'Go is not on the PATH.' 'Install Go 1.26 or newer, then run this again.'
go_version=$(go env GOVERSION)
key=$({
	sha256sum "${inputs[@]}"
	echo "$go_version $(uname -m)"
} | sha256sum | cut -c 1-16)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tlsdebug/cluster
out=$cache/$key
if [[ -d $out ]]; then
	touch "$out" # in use, see the end
	echo "$out"
	exit 0
fi

mkdir -p "$cache"
exec 9<"$cache"
if ! flock -n 9; then
	echo 'build.sh: another build is running: waiting for it' >&2
	flock 9
fi
if [[ -d $out ]]; then
	echo "$out"
	exit 0
fi
rm -rf "$cache"/*.part # what a build left that was stopped; with the lock held it is nobody's
part=$out.part
mkdir "$part"

start=$SECONDS building=
trap '[[ -z $building ]] || fail "could not build $building with $go_version, see above." \
	"Its modules come from the Go module proxy (go env GOPROXY) unless they are in the module cache."' EXIT
step() { # name, what it takes, command…
	local begin=$SECONDS name=$1 time=$2
	shift 2
	echo "build.sh: $name: $time …" >&2
	building=$name
	"$@" >&2
	building=
	echo "build.sh: $name: done in $((SECONDS - begin)) s" >&2
}

kubernetes() {
	local version
	version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
	# Without the stamp every component calls itself v0.0.0-master.
	go build -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$part/" \
		k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy,kubelet,kubectl}
}
etcd() { go build -trimpath -ldflags '-s -w' -o "$part/etcd" go.etcd.io/etcd/server/v3; }
helm() { (cd helm && go build -trimpath -ldflags '-s -w' -o "$part/helm" helm.sh/helm/v4/cmd/helm); }
coredns() { (cd coredns && go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$part/coredns" .); }

# A docker-archive with one layer that holds one static program.
pause_image() {
	local work layer
	work=$(mktemp -d "$part/pause.XXXXXX")
	mkdir "$work/root" "$work/image"
	cc -Os -static -s -o "$work/root/pause" pause/pause.c
	local tar=(tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0)
	"${tar[@]}" -C "$work/root" -cf "$work/image/layer.tar" pause
	layer=$(sha256sum "$work/image/layer.tar" | cut -d ' ' -f 1)
	cat >"$work/image/config.json" <<-J
		{"architecture":"$(go env GOARCH)","os":"linux","config":{"Entrypoint":["/pause"],"User":"65535"},
		 "rootfs":{"type":"layers","diff_ids":["sha256:$layer"]}}
	J
	cat >"$work/image/manifest.json" <<-J
		[{"Config":"config.json","RepoTags":["tlsdebug.local/pause:1"],"Layers":["layer.tar"]}]
	J
	"${tar[@]}" -C "$work/image" -cf "$part/pause.tar" config.json layer.tar manifest.json
	rm -rf "$work"
}

step 'pause image' 'under a second' pause_image
step Kubernetes 'some 6 minutes on 2 cores the first time, seconds once the Go build cache has it' kubernetes
step etcd 'half a minute the first time' etcd
step CoreDNS 'a minute the first time' coredns
step Helm 'a minute or two the first time' helm
mv -T "$part" "$out"
# Builds of other versions that no up.sh has asked for in two weeks go, unless a cluster still runs on one.
find "$cache" -mindepth 1 -maxdepth 1 -mtime +14 | while read -r old; do
	[[ -n $(find /proc/[0-9]*/exe -lname "$old/*" 2>/dev/null) ]] || rm -rf "$old"
done
echo "build.sh: everything built in $((SECONDS - start)) s, $(du -sh "$out" | cut -f 1)" >&2
echo "$out"
