#!/usr/bin/env bash
# The image of Dockerfile, for this machine: built, and used as its user with a folder of the caller's.
#   scripts/release/image.sh [--profile PROFILE]     (default: dist, as it is shipped)
# By docker where its daemon answers, else by Debian's buildah.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
cd "$root"
profile=dist
[ "${1:-}" != --profile ] || profile=$2
case $(uname -m) in x86_64) machine=amd64 ;; aarch64 | arm64) machine=arm64 ;; *) echo "image.sh: no image for $(uname -m)" >&2 && exit 1 ;; esac
target=$(uname -m | sed 's/arm64/aarch64/')-unknown-linux-musl
folder=$profile
[ "$profile" != dev ] || folder=debug
[ -n "${IMAGE_PROGRAM:-}" ] || scripts/cross/cross.sh --no-lint --build-only --profile "$profile" "$target"
mkdir -p "target/image/$machine" target/image/empty
cp "${IMAGE_PROGRAM:-target/$target/$folder/loadcmp}" "target/image/$machine/loadcmp"
strip "target/image/$machine/loadcmp"

work=$(mktemp -d)
container=
end() {
    [ -z "$container" ] || "${buildah[@]}" rm "$container" >/dev/null
    rm -rf "$work"
}
trap end EXIT
chmod 777 "$work"
if docker info >/dev/null 2>&1; then
    docker build --build-arg "TARGETARCH=$machine" --tag loadcmp:local . >/dev/null
    within() { docker run --rm --network host --volume "$work:/work" "${settings[@]}" loadcmp:local "$@"; }
else
    if ! command -v buildah >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq >/dev/null 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah >/dev/null 2>&1 || true
    fi
    command -v buildah >/dev/null || {
        echo "NOT RUN: neither docker nor buildah works here" >&2
        exit 0
    }
    # No daemon, and no more of the kernel than a container has itself.
    buildah=(buildah --storage-driver vfs)
    "${buildah[@]}" build --isolation chroot --build-arg "TARGETARCH=$machine" --tag loadcmp:local . >/dev/null 2>&1
    container=$("${buildah[@]}" from --pull-never loadcmp:local)
    within() { "${buildah[@]}" run --isolation chroot --volume "$work:/work" "${settings[@]}" "$container" -- /usr/local/bin/loadcmp "$@"; }
fi
settings=(--env LOADCMP_CALIBRATION=/nowhere/calibration.json)
ls -l "target/image/$machine/loadcmp" | awk '{ printf "the image is the program: %.1f MB\n", $5 / 1e6 }'
within --version
within run classify --set load.closed.duration=2s --set load.closed.warmup=200ms --quiet --out run >"$work/run.txt" 2>&1 ||
    [ $? -le 5 ] || { cat "$work/run.txt" >&2 && exit 1; }
[ -s "$work/run/report.html" ] || { cat "$work/run.txt" >&2 && exit 1; }
[ "$(stat -c %u "$work/run/report.html")" = 65532 ] || { echo "image.sh: it ran as $(stat -c %u "$work/run/report.html")" >&2 && exit 1; }
echo "ok: an image of the program alone ran as user 65532, and left its report in the caller's folder"
