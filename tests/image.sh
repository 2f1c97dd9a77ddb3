#!/usr/bin/env bash
# Builds the static program and the operator's image, by the last stage of the Dockerfile: image.sh OUT.
# OUT/tlsdebug.tar is the image tlsdebug.local/tlsdebug:VERSION, OUT/tlsdebug the program in it, OUT/tlsdebug.cdx.json the list
# of the crates in that.
set -euo pipefail
fail() {
	printf 'image.sh: %s\n' "$@" >&2
	exit 1
}
(($# == 1)) || fail 'usage: image.sh OUT'
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for command in cargo buildah; do
	command -v "$command" >/dev/null || fail "$command is not on the PATH" 'Run tests/cluster/packages.sh, which names or installs what is missing.'
done
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
image=tlsdebug.local/tlsdebug:$version
most=12000000 # bytes of the program: beside it there is only the list of its crates in the image

# One folder for all checkouts of a user, and apart from the checkout's own: the flags differ, and the dependencies take
# minutes. Packed relocations make the program half a megabyte smaller. The lock keeps another checkout from putting its program there between the build and the copy.
export CARGO_TARGET_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/release RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs'
unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS
mkdir -p "$CARGO_TARGET_DIR"
exec 9<"$CARGO_TARGET_DIR"
flock 9
target=$(rustc -vV | sed -n 's/^host: //p')
echo 'image.sh: building the static program (from nothing some 4 minutes on 2 cores)' >&2
cargo build --locked --release --no-default-features --target "$target" >&2
program=$CARGO_TARGET_DIR/$target/release/tlsdebug
if readelf --program-headers "$program" | grep -q INTERP; then
	fail "$program is not static: it asks for a dynamic loader"
fi
size=$(stat --format %s "$program")
((size < most)) || fail "the program has $size bytes, more than the $most that the image may have"
tests/sbom.sh "$out/tlsdebug.cdx.json"
key=$({
	sha256sum <"$program"
	sha256sum <"$out/tlsdebug.cdx.json"
	cat Dockerfile tests/image.sh
	echo "$image"
} | sha256sum)
if [[ -s $out/tlsdebug.tar && -x $out/tlsdebug && $key == "$(cat "$out/tlsdebug.key" 2>/dev/null)" ]]; then
	echo "image.sh: $out/tlsdebug.tar is up to date" >&2
	exit 0
fi

rm -f "$out/tlsdebug.key"
install --mode 0755 "$program" "$out/tlsdebug"
flock --unlock 9
work=$(mktemp --directory "$out/image.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/build"
ln "$out/tlsdebug" "$out/tlsdebug.cdx.json" "$work/build/"
# A store of its own: the user's images are neither needed nor touched.
store=(buildah --storage-driver vfs --root "$work/root" --runroot "$work/run")
"${store[@]}" build --isolation chroot --build-context "build=$work/build" --build-arg "VERSION=$version" --timestamp 0 \
	--tag "$image" --file Dockerfile . >&2
rm -f "$out/tlsdebug.tar"
"${store[@]}" push "$image" "docker-archive:$out/tlsdebug.tar:$image" >&2
echo "$key" >"$out/tlsdebug.key"
echo "image.sh: $image, $size bytes, in $out/tlsdebug.tar" >&2
