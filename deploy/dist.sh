#!/usr/bin/env bash
# Builds the program with everything in it, as an archive for people's machines: dist.sh OUT.
# OUT/kubectl-tlsdebug-VERSION-linux-ARCH.tar.gz, its .sha256, and the krew manifest OUT/tlsdebug.yaml with that checksum.
# HOMEPAGE is the host and path that the archive is published under.
set -euo pipefail
(($# == 1)) || {
	echo 'dist.sh: usage: dist.sh OUT' >&2
	exit 1
}
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) arch=$(uname -m) ;;
esac

# The folder and the flags of the image's program: the dependencies are built once for both.
export CARGO_TARGET_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/release RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs'
unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS
mkdir -p "$CARGO_TARGET_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exec 9<"$CARGO_TARGET_DIR"
flock 9
target=$(rustc -vV | sed -n 's/^host: //p')
cargo build --locked --release --target "$target" >&2
install --mode 0755 "$CARGO_TARGET_DIR/$target/release/tlsdebug" "$work/kubectl-tlsdebug"
flock --unlock 9

cp LICENSE "$work/"
archive=kubectl-tlsdebug-$version-linux-$arch.tar.gz
# The same program gives the same archive, byte for byte.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$work" -cf - LICENSE kubectl-tlsdebug | gzip -n9 >"$out/$archive"
(cd "$out" && sha256sum "$archive" >"$archive.sha256")
checksum=$(cut -d ' ' -f 1 "$out/$archive.sha256")
sed -e "s/VERSION/$version/g; s/ARCHIVE/$archive/; s/ARCH$/$arch/; s/CHECKSUM/$checksum/" \
	-e "s|HOMEPAGE|${HOMEPAGE:-tlsdebug.io}|g" -e '/^#/d' deploy/krew/tlsdebug.yaml >"$out/tlsdebug.yaml"
echo "dist.sh: $out/$archive, $(stat --format %s "$out/$archive") bytes" >&2
