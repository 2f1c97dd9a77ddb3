#!/usr/bin/env bash
# Writes which crates are in the operator's program, as CycloneDX 1.5 in JSON: sbom.sh FILE [FEATURES].
# The same sources give the same bytes. The tool for it is installed into the cache folder when it is not there.
set -euo pipefail
fail() {
	printf 'sbom.sh: %s\n' "$@" >&2
	exit 1
}
(($# == 1 || $# == 2)) || fail 'usage: sbom.sh FILE [FEATURES]'
features=(--no-default-features)
[[ -z ${2:-} ]] || features+=(--features "$2")
file=$(realpath -m "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Flags and folders that are for the program are not for the tool.
unset RUSTFLAGS CARGO_TARGET_DIR
version=0.5.9
tool=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/tools/cargo-cyclonedx-$version
if [[ ! -x $tool/bin/cargo-cyclonedx ]]; then
	echo 'sbom.sh: installing cargo-cyclonedx (some 3 minutes on 2 cores)' >&2
	cargo install --quiet --locked --version "$version" --root "$tool" cargo-cyclonedx >&2 ||
		fail "could not install cargo-cyclonedx $version, see above" 'It comes from crates.io.'
fi
# It writes beside Cargo.toml, under a name of our choice.
name=.sbom-$$
trap 'rm -f "$name.json"' EXIT
target=$(rustc -vV | sed -n 's/^host: //p')
SOURCE_DATE_EPOCH=0 "$tool/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps "${features[@]}" \
	--target "$target" --override-filename "$name" >&2
# Where the sources lie on this machine says nothing about the program.
sed "s|path+file://$PWD#|path+file:///#|g" "$name.json" >"$file"
