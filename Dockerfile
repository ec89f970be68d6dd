# xml-stream-aggregator: one static binary in an otherwise empty image.
#
#     docker build -t xml-stream-aggregator .
#
# Purpose: the image that customers run. It holds the program, the certificate roots it needs to talk
# to an object store, its licence, and an empty /data that its user may write. No shell, no package
# manager, no libc.
# Works with BuildKit and with the classic builder; asks no syntax image of a registry.
#
# Static against glibc and not musl: glibc's allocator is made for many threads, its resolver (files
# and DNS) is part of libc.a since 2.34, and nothing has to be installed into the official builder
# image. Made for linux/amd64 and linux/arm64: .ci/engine builds and runs it for the machine it is on
# (amd64 so far); for arm64 that is the public workflow's part.
#
# Reproducible: the same source with the same BUILDER_IMAGE gives the same layers. Name the builder
# by digest to hold it: --build-arg BUILDER_IMAGE=rust@sha256:…

ARG BUILDER_IMAGE=rust:1.95-bookworm

FROM ${BUILDER_IMAGE} AS build
WORKDIR /build

# Times and paths of the build machine must not reach the binary or the layers.
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
    CARGO_INCREMENTAL=0 \
    RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/build=. --remap-path-prefix=/usr/local/cargo/registry/src=crates" \
    CFLAGS="-ffile-prefix-map=/build=. -ffile-prefix-map=/usr/local/cargo/registry/src=crates"

# Dependencies first, as a layer that only Cargo.toml and Cargo.lock can make stale. --target keeps
# the static flags away from build scripts and procedural macros, which are loaded as libraries.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs \
    && cp Cargo.toml Cargo.toml.whole \
    && sed -i '/^\[\[\(bench\|example\|test\)\]\]/,/^$/d' Cargo.toml \
    && cargo build --release --locked --bins --target "$(rustc -vV | sed -n 's/^host: //p')" \
    && mv Cargo.toml.whole Cargo.toml

# So that the leftovers of a build can be told from other images.
LABEL xml-stream-aggregator.stage=build

# The program. The touch is for cargo, which goes by time: what was copied can be older than the
# empty program above.
COPY . .
RUN sed -i '/^\[\[\(bench\|example\|test\)\]\]/,/^$/d' Cargo.toml \
    && touch src/main.rs src/lib.rs \
    && cargo build --release --locked --bins --target "$(rustc -vV | sed -n 's/^host: //p')"

# The two trees that become the image: one of root's, one of the program's user. Every entry gets
# the same time, so that the layers depend on the content alone.
RUN mkdir -p /image/etc/ssl/certs /volume/data \
    && cp target/*/release/xml-stream-aggregator /image/ \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp LICENSE /image/ \
    && chmod 0755 /image/xml-stream-aggregator \
    && find /image /volume -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +

FROM scratch

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="xml-stream-aggregator" \
      org.opencontainers.image.description="Catches the XML event stream of an access-control appliance and delivers well-formed files to an object store" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /volume/ /

# Inside a container "local" is nobody: the admin pages listen on every interface of it. Whoever
# publishes port 8081 decides who reaches them.
ENV DATA_DIR=/data \
    ADMIN_ADDR=0.0.0.0:8081

USER 65532:65532
EXPOSE 8080 8081
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/xml-stream-aggregator", "healthcheck"]
ENTRYPOINT ["/xml-stream-aggregator"]
