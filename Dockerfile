# The static program and nothing else. The binaries are made before (`scripts/release/image.sh` does both):
#   target/image/amd64/loadcmp, target/image/arm64/loadcmp
#   docker run --rm --network host -v "$PWD:/work" loadcmp run scenario.yaml
FROM scratch
ARG TARGETARCH=amd64
COPY --chown=65532:65532 target/image/empty /work
COPY --chown=65532:65532 target/image/empty /tmp
COPY target/image/${TARGETARCH}/loadcmp /usr/local/bin/loadcmp
ENV PATH=/usr/local/bin HOME=/work
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/loadcmp"]
