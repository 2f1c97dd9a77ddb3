#!/usr/bin/env bash
# Fuzzes the diagnosis with libFuzzer on the project's own compiler: run.sh [SECONDS] [MORE OPTIONS OF LIBFUZZER].
# Coverage comes from LLVM's pass, which a stable compiler runs too; cargo-fuzz would ask for a nightly one.
# New inputs go to the user's cache folder, what fails to fuzz/artifacts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-60}
shift || true

# The target folder is shared by the checkouts of a user.
export CARGO_TARGET_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug/fuzz
corpus=$CARGO_TARGET_DIR/corpus
mkdir -p "$corpus" artifacts
flags=(--cfg fuzzing -C codegen-units=1 -C passes=sancov-module)
for pass in level=4 inline-8bit-counters pc-table trace-compares; do
	flags+=(-C "llvm-args=-sanitizer-coverage-$pass")
done
target=$(rustc -vV | sed -n 's/^host: //p')
echo 'fuzz/run.sh: building (from nothing some 8 minutes on 2 cores)' >&2
# Only with an explicit target do the flags spare build scripts and procedural macros, which have no fuzzer to report to.
RUSTFLAGS="${flags[*]}" cargo build --quiet --release --target "$target"
exec "$CARGO_TARGET_DIR/$target/release/diagnose" "$corpus" seeds ../tests/logs -dict=log.dict -artifact_prefix=artifacts/ \
	-max_len=8192 -timeout=10 -rss_limit_mb=2048 -max_total_time="$seconds" -print_final_stats=1 "$@"
