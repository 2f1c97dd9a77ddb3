# The operator's image: one static program, and the list of the crates in it. It needs no certificates of its own: the API
# server's are in its service account's volume.
#
# A program that is built already takes the place of the first stage: buildah build --build-context build=FOLDER, with
# the program as FOLDER/tlsdebug and the list as FOLDER/tlsdebug.cdx.json.
FROM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY . .
# The image's toolchain is the one that rust-toolchain.toml names; without this rustup would fetch its other components.
ENV RUSTUP_TOOLCHAIN=1.95.0 RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs"
# Only with an explicit target do the flags spare build scripts and procedural macros, which cannot be static.
# What the operator does not need is left out; FEATURES=plugin brings it in, for a sidecar.
ARG FEATURES=""
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && cargo build --locked --release --no-default-features --features "$FEATURES" --target "$target" \
    && cp "target/$target/release/tlsdebug" /tlsdebug \
    && tests/sbom.sh /tlsdebug.cdx.json "$FEATURES"

FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="tlsdebug" \
      org.opencontainers.image.description="Finds out why a JVM's TLS handshake fails" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build --chmod=0555 /tlsdebug /tlsdebug
COPY --from=build --chmod=0444 /tlsdebug.cdx.json /tlsdebug.cdx.json
# By number: runAsNonRoot cannot tell what a name stands for.
USER 65532:65532
ENTRYPOINT ["/tlsdebug"]
