#!/usr/bin/env bash
# Installs the Debian packages that the cluster, its images and its tests need; does nothing when all are there.
# A toolchain that is missing (Rust, Go, a JDK) is named, not installed: which one to take is the owner's choice.
set -euo pipefail

packages=(
	containerd runc containernetworking-plugins # the container runtime; Debian starts no service of it for us to use
	iptables nftables conntrack iproute2        # what kube-proxy and the network plugins call
	openssl util-linux procps                   # certificates, namespaces
	buildah                                     # images, without a registry
	busybox-static                              # the shell in the images made for tests
	gcc libc6-dev                               # the pause program, and cgo in the Kubernetes build
	jq shellcheck ca-certificates
)

missing=()
for package in "${packages[@]}"; do
	[[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == 'install ok installed' ]] || missing+=("$package")
done
if ((${#missing[@]})); then
	if ((EUID != 0)); then
		echo "packages.sh: not root, and these Debian packages are missing: ${missing[*]}" >&2
		echo "Run it as root (sudo), or install them: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	# On a machine with an init system, installing containerd would start it as a service; nothing here uses that one.
	policy=/usr/sbin/policy-rc.d
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		trap 'rm -f "$policy"' EXIT
	fi
	echo "Installing Debian packages: ${missing[*]}" >&2
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	install() { apt-get install -y -q --no-install-recommends "${missing[@]}" >"$log" 2>&1; }
	# The package lists may be old or absent: fetch them only when the first try fails.
	if ! install && ! { apt-get update -q >>"$log" 2>&1 && install; }; then
		tail -n 20 "$log" >&2
		echo "packages.sh: apt-get could not install: ${missing[*]} (all of its output: $log)" >&2
		echo "Check the package sources (apt-get update), or install them by hand and run this again." >&2
		exit 1
	fi
	rm -f "$log"
fi

absent=0
need() { # command, name, what to do
	command -v "$1" >/dev/null && return
	echo "packages.sh: $2 is missing ($1 is not on the PATH): $3" >&2
	absent=1
}
need cargo Rust 'install it with rustup; rust-toolchain.toml says which version'
need go Go 'install Go 1.26 or newer; Debian 12 has an older one'
need java 'a JDK' 'install JDK 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)'
need jlink "the JDK's jlink" 'a JRE is not enough, install the JDK (Debian: apt-get install openjdk-17-jdk-headless)'
if command -v go >/dev/null; then
	version=$(go env GOVERSION) # such as go1.26.8
	if [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] < 26)); then
		echo "packages.sh: $version is too old: the cluster's programs need Go 1.26 or newer" >&2
		absent=1
	fi
fi
exit "$absent"
